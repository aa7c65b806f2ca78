import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { LockedError, storageError } from '../errors.js'
import type { StorageLock } from './storage.js'

/**
 * Takes a folder by opening an empty LevelDB in its sub-folder `lock`: LevelDB holds a lock of the operating system,
 * which dies with its process, and Node has no call for one.
 *
 * @param location what to call the folder in errors
 * @param folder its real path: LevelDB knows two opens in one process only by the same path
 * @throws LockedError, StorageError
 */
export async function lockFolder(location: string, folder: string): Promise<StorageLock> {
  const path = join(folder, 'lock')
  try {
    const level = (await tryOpen(location, path)) ?? (await reopen(location, path))
    return { release: () => level.close() }
  } catch (cause) {
    if (cause instanceof LockedError) throw cause
    throw storageError(path, 'lock', cause)
  }
}

/** Undefined where its files cannot be opened, whatever LevelDB calls that: a bit may turn `CURRENT` into any name. */
async function tryOpen(location: string, path: string): Promise<ClassicLevel | undefined> {
  try {
    return await openLevel(path)
  } catch (error) {
    const code = codeOf(error instanceof Error ? error.cause : undefined)
    if (code === 'LEVEL_LOCKED') throw new LockedError(location, { cause: error })
    return undefined
  }
}

/** Makes the damaged database anew: it never held anything. Where somebody has it open, destroying it is refused. */
async function reopen(location: string, path: string): Promise<ClassicLevel> {
  await ClassicLevel.destroy(path)
  try {
    return await openLevel(path)
  } catch (error) {
    const code = codeOf(error instanceof Error ? error.cause : undefined)
    if (code === 'LEVEL_LOCKED') throw new LockedError(location, { cause: error })
    throw error
  }
}

async function openLevel(path: string): Promise<ClassicLevel> {
  const level = new ClassicLevel(path)
  await level.open()
  return level
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
