/** Damage: which file, what is wrong with it, and which records are concerned, where that is known. */
export interface Finding {
  readonly file: string
  readonly fault: string
  readonly firstSeq?: number
  readonly lastSeq?: number
}

/** A fault that is damage only when records of its span turn out to be missing; else it is what a crash leaves. */
export interface Suspect {
  readonly file: string
  readonly fault: string
  readonly firstSeq: number
  readonly lastSeq: number
}
