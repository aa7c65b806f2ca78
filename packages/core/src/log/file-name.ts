const NAME = /^(hot|segment)-([1-9][0-9]{0,14})$/

export type FileKind = 'hot' | 'segment'

/** The name of a file of the log. Hot files and segments share one row of numbers, so that none is used twice. */
export function fileName(kind: FileKind, number: number): string {
  return `${kind}-${number}`
}

/** What a name says; undefined for what is no hot file and no segment. */
export function parseFileName(
  name: string,
): { readonly kind: FileKind; readonly number: number } | undefined {
  const match = NAME.exec(name)
  if (match === null) return undefined
  return { kind: match[1] === 'hot' ? 'hot' : 'segment', number: Number(match[2]) }
}

/** Gives out numbers of files, each once. */
export class FileNumbers {
  #next: number

  constructor(next: number) {
    this.#next = next
  }

  take(): number {
    return this.#next++
  }
}
