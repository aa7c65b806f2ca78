/** A record that was lost to damage, and its document. */
export interface Harmed {
  readonly seq: number
  readonly id: string
}
