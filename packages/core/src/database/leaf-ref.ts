/** One leaf, named. */
export interface LeafRef {
  readonly id: string
  readonly rev: string
  /** Only for a foreign rev: `bodyHash` (document/revision.ts) of its body. */
  readonly bodyHash?: Uint8Array
}
