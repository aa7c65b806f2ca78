import { ByteWriter } from '../bytes/byte-writer.js'
import type { Env } from '../env/env.js'
import type { Storage } from '../storage/storage.js'
import { type FileNumbers, fileName } from './file-name.js'
import { SALT_BYTES } from './group.js'
import type { Manifest } from './manifest.js'
import {
  encodeFooter,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  type Frame,
  type PlacedFrame,
  writeFrame,
} from './segment.js'
import type { StoredShard } from './span-table.js'

/** A segment past this length is closed. */
const SEGMENT_BYTES = 16 * 1024 * 1024

/** Shards that one write takes at most. Recovery counts on it. */
export const SHARDS_PER_SYNC = 4

/** A shard, and what its frame says of it. */
export interface FramedShard {
  readonly frame: Frame
  readonly bytes: Uint8Array
}

/** A segment without a footer. */
export interface OpenSegment {
  readonly name: string
  readonly salt: Uint8Array
  readonly frames: readonly PlacedFrame[]
  readonly length: number
}

interface CurrentSegment {
  readonly name: string
  readonly salt: Uint8Array
  readonly frames: PlacedFrame[]
  length: number
}

export interface SegmentWriterOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  readonly numbers: FileNumbers
  /** To be gone on with; its frames are durable. */
  readonly current: OpenSegment | undefined
  /** To be closed, as a crash left something behind their last frame. */
  readonly torn: readonly OpenSegment[]
}

/**
 * Appends shards to segment files. One whose write or sync failed is left as it is, without a footer, and the next one
 * begun; what was not durable in it is written again by the caller. One call at a time.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions
  #current: CurrentSegment | undefined
  /** Without footer, and not to be gone on with. */
  #torn: readonly OpenSegment[]
  /** Named by the manifest, but nothing in it is durable. */
  #empty: string | undefined
  /** Made and durable, but perhaps not yet named by the manifest. */
  #prepared: { readonly segment: CurrentSegment; readonly number: number } | undefined
  /** Bytes appended since opening. */
  writtenBytes = 0

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    this.#torn = options.torn
    const { current } = options
    if (current !== undefined) this.#current = { ...current, frames: [...current.frames] }
  }

  /** Gives the shards' places when they are durable. @throws StorageError */
  async write(shards: readonly FramedShard[]): Promise<readonly StoredShard[]> {
    const full = this.#current !== undefined && this.#current.length >= SEGMENT_BYTES
    const segment = this.#current === undefined || full ? await this.#begin() : this.#current
    const writer = new ByteWriter(
      shards.reduce((sum, { bytes }) => sum + FRAME_HEADER_BYTES + bytes.length, 0),
    )
    const placed: PlacedFrame[] = []
    for (const { frame, bytes } of shards) {
      placed.push({ ...frame, offset: segment.length + writer.length })
      writeFrame(writer, segment.salt, frame, bytes)
    }
    try {
      await this.#options.storage.append(segment.name, segment.length, writer.view())
      await this.#options.storage.sync(segment.name)
    } catch (error) {
      this.#current = undefined
      if (segment.frames.length === 0) this.#empty = segment.name
      throw error
    }
    segment.length += writer.length
    this.writtenBytes += writer.length
    segment.frames.push(...placed)
    return placed.map((frame) => ({ ...frame, segment: segment.name }))
  }

  /** Gives segments their footers now, so that their frames are found whatever becomes of the headers. @throws StorageError */
  async finish(): Promise<void> {
    const current = this.#current
    const isBegun = current !== undefined && current.frames.length > 0
    const open = isBegun ? [...this.#torn, current] : this.#torn
    if (open.length === 0) return
    if (isBegun) this.#current = undefined
    this.#torn = []
    const names = new Set<string>()
    for (const segment of open) {
      await this.#close(segment)
      names.add(segment.name)
    }
    await this.#options.manifest.update(({ segments }) => ({
      segments: segments.map((entry) => (names.has(entry.name) ? { ...entry, closed: true } : entry)),
    }))
  }

  /** Writes nothing more to the segment, also no footer. */
  leave(name: string): void {
    if (this.#current?.name === name) this.#current = undefined
    this.#torn = this.#torn.filter((segment) => segment.name !== name)
  }

  /** Removes a segment that was left and whose records stand elsewhere by now. @throws StorageError */
  async drop(name: string): Promise<void> {
    const { manifest, storage } = this.#options
    const length = (await storage.list()).find((file) => file.name === name)?.length ?? 0
    await manifest.update((data) => ({ segments: data.segments.filter((entry) => entry.name !== name) }))
    await storage.remove(name)
    this.writtenBytes -= length
  }

  /** Begins a new segment: the old one gets its footer, then the new one is made and synced, then both are named. */
  async #begin(): Promise<CurrentSegment> {
    const open = this.#current === undefined ? this.#torn : [...this.#torn, this.#current]
    // Whatever happens now, none of them is appended to again.
    this.#current = undefined
    this.#torn = []
    const closed = new Set<string>()
    for (const segment of open) {
      await this.#close(segment)
      closed.add(segment.name)
    }
    this.#prepared ??= await this.#create()
    const { segment, number } = this.#prepared
    const empty = this.#empty
    await this.#options.manifest.update((data) => ({
      segments: [
        ...data.segments
          .filter(({ name }) => name !== empty)
          .map((entry) => (closed.has(entry.name) ? { name: entry.name, closed: true } : entry)),
        { name: segment.name, closed: false },
      ],
      nextFile: Math.max(data.nextFile, number + 1),
    }))
    this.#prepared = undefined
    this.#empty = undefined
    this.#current = segment
    if (empty !== undefined) await this.#options.storage.remove(empty)
    return segment
  }

  async #close(segment: OpenSegment): Promise<void> {
    const footer = encodeFooter(segment.salt, segment.length, segment.frames)
    await this.#options.storage.append(segment.name, segment.length, footer)
    await this.#options.storage.sync(segment.name)
    this.writtenBytes += footer.length
  }

  async #create(): Promise<{ readonly segment: CurrentSegment; readonly number: number }> {
    const { storage, env, manifest, numbers } = this.#options
    const number = numbers.take()
    const name = fileName('segment', number)
    const salt = env.randomBytes(SALT_BYTES)
    const header = encodeSegmentHeader({ database: manifest.data.id, salt })
    try {
      await storage.append(name, 0, header)
      await storage.sync(name)
    } catch (error) {
      // Nothing names it, so it may go; where even that fails, the next open removes it.
      await storage.remove(name).catch(() => undefined)
      throw error
    }
    this.writtenBytes += header.length
    return { segment: { name, salt, frames: [], length: header.length }, number }
  }
}
