import { MalformedBytes } from '../bytes/byte-reader.js'
import { DecodeBudget } from '../codec/column-format.js'
import type { Integers } from '../codec/integers.js'
import type { Fields } from '../codec/value.js'
import { bodyHash, deriveRev } from '../document/revision.js'
import { BlockColumns, readIntegers } from './block-columns.js'
import { KIND, readSections, SECTION, type Sections, TRAIT } from './block-format.js'
import { LazyRecord, type RecordHead, type RecordParts } from './lazy-record.js'
import type { LogRecord } from './record.js'

export { encodeBlock } from './block-encode.js'

/** Records that lie in columns, each decoded when it is asked for. */
export interface Block {
  readonly count: number
  /** Seq of the record at `index`, less the block's first. */
  offsetAt(index: number): number
  /** Index of the record at an offset; -1 when it holds none. */
  indexOf(offset: number): number
  /** What of the record at `index` takes neither its body nor its rev. */
  head(index: number): RecordHead
  /** The record at `index`. Its rev, body hash and body are decoded, or derived, when they are first read. */
  record(index: number): LogRecord
}

/** Makes a caller's own error of what the bytes have wrong. */
export type Fault = (cause: MalformedBytes) => Error

/**
 * Opens a block, whose bytes stay borrowed. What is wrong with them is thrown as MalformedBytes, or what `fault` makes
 * of it: here, from `record`, or when a lazy part of a record is read.
 */
export function openBlock(bytes: Uint8Array, fault: Fault = (cause) => cause): Block {
  return guarded(fault, () => new BlockReader(bytes, fault))
}

/** @throws MalformedBytes where the offsets are no integers that rise from 0 or more */
function checkRising(offsets: Integers): void {
  let least = 0
  for (let i = 0; i < offsets.count; i++) {
    const offset = offsets.at(i)
    if (!(offset >= least && offset <= Number.MAX_SAFE_INTEGER))
      throw new MalformedBytes('seqs that do not rise')
    least = offset + 1
  }
}

function guarded<T>(fault: Fault, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof MalformedBytes ? fault(error) : error
  }
}

class BlockReader implements Block, RecordParts {
  readonly count: number
  readonly #fault: Fault
  readonly #budget: DecodeBudget
  readonly #sections: Sections
  readonly #offsets: Integers | undefined
  #columns: BlockColumns | undefined

  constructor(bytes: Uint8Array, fault: Fault) {
    this.#fault = fault
    // A Buffer would give Buffers for values.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#sections = readSections(plain)
    this.count = this.#sections.count
    this.#budget = new DecodeBudget(plain.length, this.count)
    this.#offsets = readIntegers(this.#sections.parts[SECTION.offsets], this.count, this.#budget)
    if (this.#offsets !== undefined) checkRising(this.#offsets)
  }

  offsetAt(index: number): number {
    this.#check(index)
    return this.#offsets === undefined ? index : this.#offsets.at(index)
  }

  indexOf(offset: number): number {
    if (this.#offsets === undefined) return offset >= 0 && offset < this.count ? offset : -1
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#offsets.at(middle) < offset) low = middle + 1
      else high = middle
    }
    return low < this.count && this.#offsets.at(low) === offset ? low : -1
  }

  record(index: number): LogRecord {
    return new LazyRecord(this.head(index), this, index)
  }

  head(index: number): RecordHead {
    this.#check(index)
    return guarded(this.#fault, () => {
      this.#columns ??= new BlockColumns(this.#sections, this.#budget)
      this.#budget.startRecord()
      const columns = this.#columns
      const traits = columns.traitsOf(index)
      return {
        kind: (traits & TRAIT.kind) === KIND.stub ? 'stub' : 'revision',
        id: columns.idOf(index),
        path: columns.pathOf(index),
        deleted: (traits & TRAIT.deleted) !== 0,
        at: columns.arrivalOf(index),
        origin: columns.originOf(index),
        supplies: (traits & TRAIT.supplies) !== 0,
        continues: (traits & TRAIT.continues) !== 0,
        foreign: (traits & TRAIT.foreign) !== 0,
      }
    })
  }

  rev(index: number, record: LogRecord): string {
    return guarded(this.#fault, () => {
      const digest = this.#columns!.digestOf(index)
      if (digest !== undefined) return `${this.#columns!.generationOf(index)}-${digest}`
      return deriveRev(record.path[0], record.deleted, record.body!)
    })
  }

  bodyHash(index: number, record: LogRecord): Uint8Array {
    return record.body === undefined
      ? guarded(this.#fault, () => this.#columns!.bodyHashOf(index))
      : new Uint8Array(bodyHash(record.deleted, record.body))
  }

  body(index: number): Fields | Uint8Array {
    return guarded(this.#fault, () => {
      this.#budget.startRecord()
      return this.#columns!.bodyOf(index)
    })
  }

  #check(index: number): void {
    if (!(index >= 0 && index < this.count))
      throw new RangeError(`No record ${index} in a block of ${this.count}`)
  }
}
