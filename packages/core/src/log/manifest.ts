import { ManifestCorruptError, StorageError } from '../errors.js'
import { limits } from '../limits.js'
import type { Storage, StoredFile } from '../storage/storage.js'
import { parseFileName } from './file-name.js'
import type { Incarnation, ManifestData } from './manifest-data.js'
import { decodeManifest, encodeManifest, type VersionedManifest } from './manifest-format.js'
import { readPatiently } from './patient-read.js'
import { Serial } from './serial.js'

export type { Incarnation, ManifestData, SegmentEntry } from './manifest-data.js'

/** What is to become of the manifest's members; those that are not named stay. */
export type ManifestChange = (data: ManifestData) => Partial<ManifestData>

const COPIES = ['manifest', 'manifest.copy'] as const

/**
 * The manifest in RAM, and the way to change it. It is stored twice: a change is made when both copies are durable,
 * and may be there after a restart when `update` rejected. Format: docs/formats/log.md.
 */
export class Manifest {
  readonly #storage: Storage
  readonly #updates = new Serial()
  /** Of the last attempt to write, successful or not, so that no two contents share one. */
  #version: number
  #data: ManifestData

  private constructor(
    storage: Storage,
    { version, data }: VersionedManifest,
    /** Copies that were there and could not be read. */
    readonly damaged: readonly string[],
    /** Whether a copy is missing, damaged or old: a crash came between the two. */
    readonly incomplete: boolean,
  ) {
    this.#storage = storage
    this.#version = version
    this.#data = data
  }

  /**
   * Reads the newest valid copy; undefined when the place holds nothing of a database.
   * @throws ManifestCorruptError, FormatUnknownError, StorageError
   */
  static async load(storage: Storage): Promise<Manifest | undefined> {
    const files = await storage.list()
    const damaged: string[] = []
    const versions = new Set<number>()
    let newest: VersionedManifest | undefined
    let refusal: StorageError | undefined
    for (const name of COPIES) {
      const file = files.find((candidate) => candidate.name === name)
      if (file === undefined) {
        versions.add(0)
        continue
      }
      const read = await readCopy(storage, file)
      if (read instanceof StorageError) refusal = read
      if (read === undefined || read instanceof StorageError) {
        versions.add(0)
        damaged.push(name)
        continue
      }
      versions.add(read.version)
      if (newest === undefined || read.version > newest.version) newest = read
    }
    if (newest !== undefined) return new Manifest(storage, newest, damaged, versions.size > 1)
    if (refusal) throw refusal
    if (damaged.length > 0) throw new ManifestCorruptError(`${damaged.join(' and ')} cannot be read`)
    const orphan = files.find((file) => parseFileName(file.name) !== undefined)
    if (orphan !== undefined) throw new ManifestCorruptError(`it is missing, but ${orphan.name} is there`)
    return undefined
  }

  /** Makes the first manifest of a database, durably. */
  static async create(
    storage: Storage,
    identity: Pick<ManifestData, 'id' | 'mode' | 'created'>,
  ): Promise<Manifest> {
    const data: ManifestData = {
      ...identity,
      incarnations: [],
      nextFile: 1,
      hot: [],
      segments: [],
      lost: [],
      damage: 0,
      index: 1,
      historySince: 0,
      replication: { mirrors: [] },
    }
    const manifest = new Manifest(storage, { version: 0, data }, [], false)
    await manifest.update(() => ({}))
    return manifest
  }

  get data(): ManifestData {
    return this.#data
  }

  /** The copies that are not there or cannot be read now. */
  damagedCopies(): Promise<readonly string[]> {
    return this.#updates.run(async () => {
      const files = await this.#storage.list()
      const damaged: string[] = []
      for (const name of COPIES) {
        const file = files.find((candidate) => candidate.name === name)
        const read = file && (await readCopy(this.#storage, file))
        if (read === undefined || read instanceof StorageError) damaged.push(name)
      }
      return damaged
    })
  }

  /**
   * Changes members, durably, one call after another. `change` gets what the calls before it left, and is called once.
   * @throws StorageError: then `data` is as before
   */
  update(change: ManifestChange): Promise<void> {
    return this.#updates.run(async () => {
      const data = { ...this.#data, ...change(this.#data) }
      const bytes = encodeManifest({ version: ++this.#version, data })
      for (const name of COPIES) await this.#storage.replace(name, bytes)
      this.#data = data
    })
  }
}

/** Undefined where it is damaged; the disk's refusal where that does not give it. */
async function readCopy(
  storage: Storage,
  { name, length }: StoredFile,
): Promise<VersionedManifest | StorageError | undefined> {
  const decode = (bytes: Uint8Array) => decodeManifest(name, bytes)
  try {
    return await readPatiently(storage, { name, offset: 0, length }, decode, (read) => read !== undefined)
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
}

/** The incarnations with one more, unless it is there; the oldest dropped past the limit. */
export function withIncarnation(
  incarnations: readonly Incarnation[],
  next: Incarnation,
): readonly Incarnation[] {
  if (incarnations.some(({ id }) => id === next.id)) return incarnations
  return [...incarnations, next].slice(-limits.incarnations)
}
