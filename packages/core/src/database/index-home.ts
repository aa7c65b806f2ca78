import type { Env } from '../env/env.js'
import { IndexCorruptError } from '../errors.js'
import { DocumentIndex } from '../index/document-index.js'
import {
  type DerivedStore,
  fileLevelBytes,
  openFileLevel,
  openMemoryLevel,
  removeFileLevel,
} from '../index/level.js'
import type { Log } from '../log/log.js'
import { GroupPlan } from './plan.js'

/** Where a database's index lives, and how one is opened there. */
export interface IndexHome {
  /** Opens index number `generation`, empty where there was none. @throws IndexCorruptError */
  open(generation: number): Promise<DocumentIndex>
  /** Removes what a closed index left. */
  remove(generation: number): Promise<void>
  /** Bytes on disk. */
  bytes(generation: number): Promise<number>
}

export interface IndexHomeOptions {
  readonly location: string
  /** Of a store that the application brings; how it is removed and measured is its own affair. */
  readonly level: ((location: string) => DerivedStore) | undefined
  readonly env: Env
  readonly cacheBytes: number
  readonly whenSynced: (seq: number) => Promise<void>
}

export function indexHome(options: IndexHomeOptions): IndexHome {
  const { location, level, env, cacheBytes, whenSynced } = options
  const inMemory = location === ':memory:'
  const inFiles = !inMemory && level === undefined
  const folder = (generation: number) => `${location}/index-${generation}`
  return {
    async open(generation) {
      const store = (level ?? (inMemory ? openMemoryLevel : openFileLevel))(folder(generation))
      try {
        await store.open()
        return await DocumentIndex.open({ store, env, cacheBytes, whenSynced })
      } catch (cause) {
        await store.close().catch(() => undefined)
        if (cause instanceof IndexCorruptError) throw cause
        throw new IndexCorruptError('its store cannot be opened', { cause })
      }
    },
    remove: async (generation) => (inFiles ? removeFileLevel(folder(generation)) : undefined),
    bytes: async (generation) => (inFiles ? fileLevelBytes(folder(generation)) : 0),
  }
}

/** Has the index follow the log from where it stands to the log's head, past what cannot be read. */
export async function replay(
  log: Log,
  index: DocumentIndex,
  options: {
    readonly flush: boolean
    readonly signal?: AbortSignal
    readonly onProgress?: (seq: number) => void
  },
): Promise<void> {
  for await (const batch of log.scan(index.root.seq + 1, log.head)) {
    options.signal?.throwIfAborted()
    const entries = await index.lookup([...new Set(batch.map(({ record }) => record.id))])
    index.apply(GroupPlan.replay(batch, entries))
    if (options.flush && index.flushDue) await index.flush()
    options.onProgress?.(index.root.seq)
  }
  // The log may end in a lost span.
  if (index.root.seq < log.head) index.apply({ changes: [], superseded: [], seq: log.head })
}
