import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DerivedStore } from '@mynah/core'
import { Level } from 'level'

/** The newest log of LevelDB's folder, and its length, after a write to it was acknowledged. */
export interface IndexNews {
  readonly kind: 'index'
  readonly folder: string
  readonly log: string
  readonly length: number
}

/** LevelDB in a folder, as the default is, that tells of each write, and refuses one that does not ask for `sync`. */
export function watchedLevel(folder: string, tell: (news: IndexNews) => void): DerivedStore {
  const level = new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  const written = async (options: unknown, write: () => Promise<void>): Promise<void> => {
    if ((options as { sync?: boolean } | undefined)?.sync !== true)
      throw new Error('a write to the index did not ask for sync')
    await write()
    const log = newestLog(folder)
    if (log !== undefined) tell({ kind: 'index', folder, ...log })
  }
  const batch = level.batch.bind(level) as unknown as (...args: unknown[]) => unknown
  const put = level.put.bind(level)
  const del = level.del.bind(level)
  const watched = {
    put: (key: Uint8Array, value: Uint8Array, options?: object) =>
      written(options, () => put(key, value, options as never)),
    del: (key: Uint8Array, options?: object) => written(options, () => del(key, options as never)),
    batch: (...args: unknown[]) => {
      if (args.length > 0) return written(args[1], () => batch(...args) as Promise<void>)
      const chained = batch() as { write(options?: object): Promise<void> }
      const write = chained.write.bind(chained)
      chained.write = (options) => written(options, () => write(options))
      return chained
    },
  }
  return Object.assign(level, watched) as unknown as DerivedStore
}

/** The log that LevelDB writes at present; undefined where there is none. */
export function newestLog(folder: string): { readonly log: string; readonly length: number } | undefined {
  const numbers = readdirSync(folder).flatMap((name) => (/^\d+\.log$/.test(name) ? [name] : []))
  const log = numbers.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1)
  return log === undefined ? undefined : { log, length: statSync(join(folder, log)).size }
}
