import { toHex } from '../bytes/hex.js'
import type { Env } from '../env/env.js'
import { nodeEnv } from '../env/node-env.js'
import { IndexCorruptError, ManifestCorruptError, NotFoundError } from '../errors.js'
import type { DocumentIndex } from '../index/document-index.js'
import { findFileLevels } from '../index/level.js'
import { type Log, openLog } from '../log/log.js'
import { Manifest } from '../log/manifest.js'
import { memoryStorage } from '../storage/memory-storage.js'
import { nodeStorage } from '../storage/node-storage.js'
import type { Storage, StorageLock } from '../storage/storage.js'
import { checkOptions } from './arguments.js'
import type { Context } from './context.js'
import { type Ground, settleDamage } from './damage.js'
import type { Database } from './database.js'
import { EmbeddedDatabase } from './embedded-database.js'
import type { Harmed } from './harmed.js'
import type { Housekeeping } from './housekeeping.js'
import { type IndexHome, type IndexProgress, indexHome, renewed, replay, unseenUpTo } from './index-home.js'
import { type OpenOptions, openDefaults } from './open-options.js'
import { Pins } from './pins.js'

/**
 * Opens a database in the folder `location`, or creates it; ':memory:' keeps everything in RAM and behaves the same.
 *
 * @throws LockedError, NotFoundError, ManifestCorruptError, FormatUnknownError, StorageError
 * @throws TypeError, RangeError for options that are none
 */
export async function open(location: string, options: OpenOptions = {}): Promise<Database> {
  if (typeof location !== 'string' || location === '')
    throw new TypeError('location must be a folder or ":memory:"')
  checkOptions('open', options)
  const storage = options.storage ?? (location === ':memory:' ? memoryStorage() : nodeStorage(location))
  const mayCreate = options.createIfMissing !== false && options.readOnly !== true
  const orphan = await orphanIndex(location, options)
  if (!mayCreate && orphan === undefined && (await storage.list()).length === 0)
    throw new NotFoundError(location)
  const lock = await storage.lock()
  try {
    return await openLocked(location, storage, lock, mayCreate, options)
  } catch (error) {
    await storage.close()
    await lock.release()
    throw error
  }
}

async function openLocked(
  location: string,
  storage: Storage,
  lock: StorageLock,
  mayCreate: boolean,
  options: OpenOptions,
): Promise<Database> {
  const env = options.env ?? nodeEnv
  const manifest = await manifestOf(location, storage, env, mayCreate, options)
  const cacheBytes = options.cacheBytes ?? openDefaults.cacheBytes
  const harmed: Harmed[] = []
  const pins = await Pins.load(storage, manifest)
  let log: Log | undefined
  const home = indexHome({
    location,
    storage,
    level: options.level,
    env,
    cacheBytes: Math.ceil(cacheBytes / 4),
    whenSynced: async (seq) => {
      if (log && log.synced < seq) await log.sync()
    },
  })
  const readOnly = options.readOnly === true
  let index = await openIndex(manifest, home, readOnly)
  try {
    if (!readOnly) await removeOthers(manifest, home)
    log = await openLog({
      storage,
      env,
      manifest,
      watermark: index.root.seq,
      readOnly,
      shardBytes: options.shardBytes ?? openDefaults.shardBytes,
      cacheBytes: cacheBytes - Math.ceil(cacheBytes / 4),
    })
    const following = { manifest, home, readOnly, onProgress: options.onProgress }
    index = await followLog(log, index, following)
    if (!readOnly) index = await settled({ log, index, manifest, env, harmed }, following)
  } catch (error) {
    await index.abandon()
    await log?.close()
    throw error
  }
  const context: Context = {
    pins,
    heldBytes: options.heldBytes,
    budget: undefined,
    env,
    manifest,
    log,
    index,
    origin: manifest.data.id,
    readOnly,
    sync: options.durability !== 'relaxed',
    mode: manifest.data.mode,
    onMode: new Set(),
    source: undefined,
    harmed,
    allHeld: undefined,
    closing: false,
  }
  return new EmbeddedDatabase(context, housekeeping(context, home, storage, lock))
}

/** The number of an index that is there: it is made after the manifest, so that where one is, there was a database. */
async function orphanIndex(location: string, { level }: OpenOptions): Promise<number | undefined> {
  return level === undefined && location !== ':memory:' ? (await findFileLevels(location))[0] : undefined
}

async function manifestOf(
  location: string,
  storage: Storage,
  env: Env,
  mayCreate: boolean,
  options: OpenOptions,
): Promise<Manifest> {
  const manifest = await Manifest.load(storage)
  if (manifest === undefined) {
    const orphan = await orphanIndex(location, options)
    if (orphan !== undefined) throw new ManifestCorruptError(`it is missing, but index-${orphan} is there`)
    if (!mayCreate) throw new NotFoundError(location)
    return Manifest.create(storage, {
      id: toHex(env.randomBytes(16)),
      mode: options.mode ?? 'peer',
      created: env.now(),
    })
  }
  const { mode } = options
  const changed = mode !== undefined && mode !== manifest.data.mode
  if ((changed || manifest.incomplete) && !options.readOnly)
    await manifest.update(() => (mode ? { mode } : {}))
  return manifest
}

/** A damaged index is derived from the log anew, under the next number. */
async function openIndex(manifest: Manifest, home: IndexHome, readOnly: boolean): Promise<DocumentIndex> {
  try {
    return await home.open(manifest.data.index, manifest)
  } catch (error) {
    if (readOnly || !(error instanceof IndexCorruptError)) throw error
    return renewIndex(manifest, home)
  }
}

interface Following {
  readonly manifest: Manifest
  readonly home: IndexHome
  readonly readOnly: boolean
  readonly onProgress: OpenOptions['onProgress']
}

/** Has the index follow the log to its head; one that turns out damaged, or knows of more, is derived anew. */
async function followLog(log: Log, opened: DocumentIndex, following: Following): Promise<DocumentIndex> {
  const { manifest, home, readOnly, onProgress } = following
  const options = {
    flush: !readOnly,
    onProgress: (progress: IndexProgress) => onProgress?.({ phase: 'index', ...progress }),
  }
  let index = opened
  try {
    if (index.root.seq > log.head) index = await renewIndex(manifest, home, index)
    const { seq } = index.root
    if (!readOnly && manifest.data.lost.some(({ lastSeq }) => lastSeq > seq))
      await manifest.update((data) => unseenUpTo(data, log.head))
    try {
      await replay(log, index, options)
    } catch (error) {
      if (readOnly || !(error instanceof IndexCorruptError)) throw error
      index = await renewIndex(manifest, home, index)
      await replay(log, index, options)
    }
  } catch (error) {
    await index.abandon()
    throw error
  }
  log.followed()
  const { unseen } = manifest.data
  if (unseen && unseen.lastSeq > log.head && !readOnly) {
    const lastSeq = Math.max(unseen.firstSeq, log.head)
    await manifest.update(() => ({ unseen: { firstSeq: unseen.firstSeq, lastSeq } }))
  }
  return index
}

/** Settles what was found lost; by an index that was derived anew where this one turns out damaged. */
async function settled(ground: Ground, following: Following): Promise<DocumentIndex> {
  const alone = (run: () => Promise<void>) => run()
  try {
    await settleDamage(ground, alone)
    return ground.index
  } catch (error) {
    if (!(error instanceof IndexCorruptError)) throw error
  }
  const { manifest, home } = following
  const index = await followLog(ground.log, await renewIndex(manifest, home, ground.index), following)
  try {
    await settleDamage({ ...ground, index }, alone)
  } catch (error) {
    await index.abandon()
    throw error
  }
  return index
}

/** What a crash left of indexes that were replaced. */
async function removeOthers(manifest: Manifest, home: IndexHome): Promise<void> {
  for (const generation of await home.found())
    if (generation !== manifest.data.index) await home.remove(generation)
}

async function renewIndex(manifest: Manifest, home: IndexHome, old?: DocumentIndex): Promise<DocumentIndex> {
  await old?.abandon()
  const before = manifest.data.index
  await home.remove(before + 1)
  await manifest.update((data) => renewed(data, before + 1))
  await home.remove(before)
  return home.open(before + 1, manifest)
}

function housekeeping(context: Context, home: IndexHome, storage: Storage, lock: StorageLock): Housekeeping {
  return {
    home,
    async close() {
      const ends = [
        () => context.pins.close(),
        () => (context.readOnly ? context.index.abandon() : context.index.close()),
        () => context.log.close(),
        () => storage.close(),
        () => lock.release(),
      ]
      const faults: unknown[] = []
      for (const end of ends) await end().catch((error: unknown) => faults.push(error))
      if (faults.length > 0) throw faults[0]
    },
  }
}
