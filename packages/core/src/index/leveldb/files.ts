/** The files of a folder of LevelDB's that nobody has open, as far as a check needs them. */
export interface LevelFiles {
  /** Names and lengths of all files; none where the folder is missing. */
  list(): Promise<readonly { readonly name: string; readonly length: number }[]>
  /** A file to be read in parts, closed by the caller. */
  open(name: string): Promise<LevelFile>
}

export interface LevelFile {
  readonly length: number
  /** Up to `length` bytes from `offset`, fewer only at the end of the file; the next call may overwrite them. */
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}
