/** Something that is not as it should be. */
export interface VerifyFinding {
  /** The file, or 'index'. */
  readonly file: string
  /** What is wrong, for people. */
  readonly fault: string
  /** Documents that it concerns, as far as they are known. */
  readonly ids: readonly string[]
}
