import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AbstractLevel } from 'abstract-level'
import { Level } from 'level'
import { MemoryLevel } from 'memory-level'

/** Any store of the `abstract-level` kind: derived data live in it, and can be rebuilt from the log. */
export type DerivedStore = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>

const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const

/** Bytes of its own log that LevelDB gathers before it sorts them into a table: what a small index takes twice. */
const WRITE_BUFFER_BYTES = 1024 * 1024

const INDEX_PREFIX = 'index-'
const INDEX = /^index-[1-9][0-9]{0,8}$/
/** A name that LevelDB leaves alone. */
const PROBE = 'probe'

/** LevelDB in a folder of its own. */
export function openFileLevel(folder: string): DerivedStore {
  const options = { ...encodings, writeBufferSize: WRITE_BUFFER_BYTES }
  return new Level<Uint8Array, Uint8Array>(folder, options) as unknown as DerivedStore
}

/** The same in RAM. */
export function openMemoryLevel(): DerivedStore {
  return new MemoryLevel<Uint8Array, Uint8Array>({
    ...encodings,
    storeEncoding: 'view',
  }) as unknown as DerivedStore
}

/** Removes a closed store's folder and all in it. */
export async function removeFileLevel(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** Bytes of a store's files. LevelDB removes files at any moment: one that is gone counts nothing. */
export async function fileLevelBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The numbers of the folders `index-N` at a place. */
export async function findFileLevels(location: string): Promise<readonly number[]> {
  const names = await readdir(location).catch(() => [])
  return names.flatMap((name) => (INDEX.test(name) ? Number(name.slice(INDEX_PREFIX.length)) : []))
}

/** Whether the disk has room for what LevelDB writes when it opens a folder: its logs anew, as tables, and its manifest. */
export async function hasRoomForLevel(folder: string): Promise<boolean> {
  const probe = join(folder, PROBE)
  try {
    const names = await readdir(folder)
    const logs = await Promise.all(
      names
        .filter((name) => name.endsWith('.log'))
        .map(async (name) => (await stat(join(folder, name))).size),
    )
    const bytes = new Uint8Array(logs.reduce((sum, size) => sum + size, 2 * WRITE_BUFFER_BYTES))
    const file = await open(probe, 'w')
    try {
      await file.writeFile(bytes)
      await file.datasync()
    } finally {
      await file.close()
    }
    return true
  } catch {
    return false
  } finally {
    await rm(probe, { force: true }).catch(() => undefined)
  }
}
