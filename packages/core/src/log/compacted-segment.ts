import { ByteWriter } from '../bytes/byte-writer.js'
import type { Env } from '../env/env.js'
import type { Storage } from '../storage/storage.js'
import { fileName } from './file-name.js'
import { SALT_BYTES } from './group.js'
import type { SegmentEntry } from './manifest.js'
import {
  encodeFooter,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  type PlacedFrame,
  writeFrame,
} from './segment.js'
import type { FramedShard } from './segment-writer.js'

/**
 * A segment that is written as a whole: nothing names it before it has its footer and is durable, and until then the
 * next open removes it. @throws StorageError from each of its methods
 */
export class CompactedSegment {
  readonly name: string
  readonly number: number
  readonly #storage: Storage
  readonly #salt: Uint8Array
  readonly #header: Uint8Array
  readonly frames: PlacedFrame[] = []
  /** Of the file, as far as it is written. */
  length = 0

  constructor(options: {
    readonly storage: Storage
    readonly env: Env
    readonly database: string
    readonly number: number
  }) {
    this.#storage = options.storage
    this.number = options.number
    this.name = fileName('segment', options.number)
    this.#salt = options.env.randomBytes(SALT_BYTES)
    this.#header = encodeSegmentHeader({ database: options.database, salt: this.#salt })
  }

  async add({ frame, bytes }: FramedShard): Promise<void> {
    if (this.length === 0) await this.#append(this.#header)
    const writer = new ByteWriter(FRAME_HEADER_BYTES + bytes.length)
    const offset = this.length
    writeFrame(writer, this.#salt, frame, bytes)
    await this.#append(writer.view())
    this.frames.push({ ...frame, offset })
  }

  /** Writes the footer, and makes all durable. */
  async close(): Promise<void> {
    await this.#append(encodeFooter(this.#salt, this.length, this.frames))
    await this.#storage.sync(this.name)
  }

  /** Removes it; where that fails, the next open does. */
  async discard(): Promise<void> {
    if (this.length > 0) await this.#storage.remove(this.name).catch(() => undefined)
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const at = this.length
    // Whatever became of it, there may be a file from now on.
    this.length += bytes.length
    await this.#storage.append(this.name, at, bytes)
  }
}

/** The segments with one more, before the one that is being written: that has to be the last, to be gone on with after the next open. */
export function withClosed(segments: readonly SegmentEntry[], name: string): readonly SegmentEntry[] {
  const isOpen = segments.at(-1)?.closed === false
  const before = isOpen ? segments.slice(0, -1) : segments
  return [...before, { name, closed: true }, ...segments.slice(before.length)]
}
