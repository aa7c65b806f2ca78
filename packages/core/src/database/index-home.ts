import { formatPosition, parsePosition, positionAt } from '../changes/positions.js'
import type { Env } from '../env/env.js'
import { IndexCorruptError, MynahError, storageError } from '../errors.js'
import { DocumentIndex } from '../index/document-index.js'
import {
  type DerivedStore,
  fileLevelBytes,
  findFileLevels,
  hasRoomForLevel,
  openFileLevel,
  openMemoryLevel,
  removeFileLevel,
} from '../index/level.js'
import { nodeLevelFiles } from '../index/level-files.js'
import { levelFault } from '../index/leveldb/check.js'
import { ReopeningStore } from '../index/reopening-store.js'
import type { Log } from '../log/log.js'
import type { Manifest } from '../log/manifest.js'
import type { ManifestData } from '../log/manifest-data.js'
import type { Storage } from '../storage/storage.js'
import { GroupPlan } from './plan.js'

/** Where a database's index lives, and how one is opened there. */
export interface IndexHome {
  /**
   * Opens index number `generation`, empty where there was none.
   * @throws IndexCorruptError when it is damaged, or not of this database's history; StorageError when the disk refuses
   */
  open(generation: number, manifest: Manifest): Promise<DocumentIndex>
  /** Removes what a closed index left. */
  remove(generation: number): Promise<void>
  /** Bytes on disk. */
  bytes(generation: number): Promise<number>
  /** The indexes that are there, as far as that can be seen: folders of the disk. */
  found(): Promise<readonly number[]>
}

export interface IndexHomeOptions {
  readonly location: string
  /** Where the log is. */
  readonly storage: Storage
  /** Of a store that the application brings; how it is removed and measured is its own affair. */
  readonly level: ((location: string) => DerivedStore) | undefined
  readonly env: Env
  readonly cacheBytes: number
  readonly whenSynced: (seq: number) => Promise<void>
}

/** The note that tells of which history an index is. */
const STAMP = 'history'
/** What is written to a disk, beside the log, to see whether it has room; and under which name. */
const PROBE_BYTES = 2 * 1024 * 1024
const PROBE = 'probe'
/** What a system, or LevelDB, says when a disk refuses, and nothing that was stored is wrong. */
const REFUSED = /^(E[A-Z]+|LEVEL_IO_ERROR|LEVEL_LOCKED)$/

export function indexHome(options: IndexHomeOptions): IndexHome {
  const { location, storage, level, env, cacheBytes, whenSynced } = options
  const inMemory = location === ':memory:'
  const inFiles = !inMemory && level === undefined
  const folder = (generation: number) => `${location}/index-${generation}`
  return {
    async open(generation, manifest) {
      const place = folder(generation)
      if (inFiles) await checkFiles(place)
      const store = new ReopeningStore({
        store: (level ?? (inMemory ? openMemoryLevel : openFileLevel))(place),
        env,
        hasRoom: () => (inFiles ? hasRoomForLevel(place) : hasRoomFor(storage)),
      })
      try {
        await store.open()
        const index = await DocumentIndex.open({
          store: store as unknown as DerivedStore,
          env,
          cacheBytes,
          whenSynced: async (seq) => {
            await whenSynced(seq)
            await store.writable()
          },
          stamp: (seq) => [STAMP, stampOf(manifest, seq)],
        })
        if (!isOf(manifest, await index.note(STAMP), index.root.seq))
          throw new IndexCorruptError('it is not of this history of this database')
        return index
      } catch (cause) {
        await store.close().catch(() => undefined)
        if (cause instanceof MynahError) throw cause
        if (isRefusal(cause)) throw storageError(place, 'open', cause)
        throw new IndexCorruptError('its store cannot be opened', { cause })
      }
    },
    remove: async (generation) => (inFiles ? removeFileLevel(folder(generation)) : undefined),
    bytes: async (generation) => (inFiles ? fileLevelBytes(folder(generation)) : 0),
    found: async () => (inFiles ? findFileLevels(location) : []),
  }
}

/** Of a store that the application brings nobody knows what it needs, but it is likely to lie where the log does. */
async function hasRoomFor(storage: Storage): Promise<boolean> {
  try {
    await storage.replace(PROBE, new Uint8Array(PROBE_BYTES))
    return true
  } catch {
    return false
  } finally {
    await storage.remove(PROBE).catch(() => undefined)
  }
}

/** LevelDB ends the process on some damage, and says nothing of other: what is damaged it never sees. */
async function checkFiles(folder: string): Promise<void> {
  let fault: string | undefined
  try {
    fault = await levelFault(nodeLevelFiles(folder))
  } catch (cause) {
    // What the disk cannot read is rebuilt elsewhere; that it does not let us read is another matter.
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EIO'))
      throw storageError(folder, 'read', cause)
    fault = cause.message
  }
  if (fault !== undefined) throw new IndexCorruptError(fault)
}

function isRefusal(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string' && REFUSED.test(at.code)) return true
  return false
}

/** The database, how often damage has renamed its history, and the place in it that an index follows the log to. */
function stampOf({ data }: Manifest, seq: number): string {
  return `${data.id} ${data.settled ?? 0} ${formatPosition(positionAt(data.incarnations, seq))}`
}

/**
 * Whether an index follows this history: a folder from another database, or from a copy of this one that went its own
 * way, does not. Where damage has renamed the history since, only the database is compared.
 */
function isOf({ data }: Manifest, stamp: string | undefined, seq: number): boolean {
  if (seq === 0) return true
  const [id, settled, place] = (stamp ?? '').split(' ')
  if (id !== data.id) return false
  const position = parsePosition(place ?? '')
  return (
    settled !== String(data.settled ?? 0) ||
    data.incarnations.some((incarnation) => incarnation.id === position?.incarnation)
  )
}

/** How far an index has come that follows the log. */
export interface IndexProgress {
  readonly doneRecords: number
  readonly totalRecords: number
}

/** Has the index follow the log from where it stands to the log's head, past what cannot be read. */
export async function replay(
  log: Log,
  index: DocumentIndex,
  options: {
    readonly flush: boolean
    readonly signal?: AbortSignal | undefined
    readonly onProgress?: ((progress: IndexProgress) => void) | undefined
  },
): Promise<void> {
  // What is appended meanwhile is for the next call.
  const { head } = log
  for await (const batch of log.scan(index.root.seq + 1, head)) {
    options.signal?.throwIfAborted()
    const entries = await index.lookup([...new Set(batch.map(({ record }) => record.id))])
    index.apply(GroupPlan.replay(batch, entries))
    // A batch may end within a transaction: what the index says it follows to must not.
    const whole = batch.at(-1)?.record.continues !== true
    if (options.flush && whole && index.flushDue) await index.flush()
    options.onProgress?.({ doneRecords: index.root.seq, totalRecords: log.head })
  }
  // The log may end in a lost span.
  if (index.root.seq < head) index.apply({ changes: [], superseded: [], seq: head })
}

/**
 * What the manifest is to say when an index that was derived from the log takes the place of the last one. Where records
 * are lost that were not told again yet, the last one alone knew what they told of: what is missing is in doubt.
 */
export function renewed(
  data: ManifestData,
  generation: number,
  head = Number.MAX_SAFE_INTEGER,
): Partial<ManifestData> {
  const { damage, settled = 0 } = data
  return { index: generation, ...(settled !== damage && { doubt: true }), ...unseenUpTo(data, head) }
}

/**
 * What the manifest is to say where an index, or the belief in one, begins at `head` without what lost records told of:
 * up to there nobody knows what the leaves were.
 */
export function unseenUpTo({ lost, unseen }: ManifestData, head: number): Partial<ManifestData> {
  const first = lost[0]
  if (first === undefined) return {}
  const lastSeq = Math.max(first.firstSeq, head, unseen?.lastSeq ?? 0)
  return { unseen: { firstSeq: Math.min(first.firstSeq, unseen?.firstSeq ?? first.firstSeq), lastSeq } }
}
