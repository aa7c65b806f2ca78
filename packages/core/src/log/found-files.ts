import type { StoredFile } from '../storage/storage.js'
import { type FileKind, parseFileName } from './file-name.js'

/** What a folder holds, by name. */
export type FoundFiles = ReadonlyMap<string, StoredFile>

/** The number of a hot file or segment; 0 for other names. */
export function numberOf(name: string): number {
  return parseFileName(name)?.number ?? 0
}

/** Files of a kind that the manifest does not name: left by a crash, or named only in a newer copy of it that is gone. */
export function unnamed(files: FoundFiles, kind: FileKind, named: readonly string[]): readonly StoredFile[] {
  const known = new Set(named)
  return [...files.values()]
    .filter(({ name }) => parseFileName(name)?.kind === kind && !known.has(name))
    .sort((a, b) => numberOf(a.name) - numberOf(b.name))
}

/** What a fault may concern that does not tell its seqs. */
export const UNKNOWN_SPAN = { firstSeq: 1, lastSeq: Number.MAX_SAFE_INTEGER } as const
