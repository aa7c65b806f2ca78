import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import type { ByteWriter } from '../bytes/byte-writer.js'
import type { ColumnWriter, DecodeBudget } from './column-format.js'

/**
 * A run of integers, from -2^50 to 2^50. How many is known from elsewhere; none takes no bytes.
 *
 *   size     field
 *   1        bits 0-1  order: how often the run was replaced by its differences, 0 to 2
 *            bit  2    a lag follows; without it the lag is 1
 *            bits 3-6  width: 0 all equal, 1 to 7 bytes in planes, 8 varints
 *            bit  7    reserved, zero
 *   varint   lag: a difference is to the value so many places before; only with bit 2
 *   varints  heads: for each order the first `lag` values, which have nothing before them, zigzag
 *   varint   base, zigzag: subtracted from all that remain (widths 0 to 7)
 *   rest     widths 1 to 7: all lowest bytes, then all second bytes …
 *            width 8: varint length in bytes, then a zigzag varint each
 *
 * Planes serve LZMA better than varints: each byte stands among its like. Where the order is 0 they are read in place.
 */
const ORDER_BITS = 0b11
const LAG_BIT = 0b100
const WIDTH_SHIFT = 3
const WIDTH_BITS = 0b1111
const RESERVED_BIT = 0x80
const VARINTS = 8

/** How many values are looked at to choose the order. */
const SAMPLE = 512
/** Lags are tried up to here, on so many values, in runs of enough. */
const LAG_MAX = 64
const LAG_SAMPLE = 64
const LAGGED = LAG_MAX + LAG_SAMPLE
/** A difference must save so much of the estimate: plain values are read in place, and LZMA finds repeats in them. */
const GAIN = 0.85
/** Varints are for runs of small values with a few large ones: they must save so much of the planes. */
const VARINT_GAIN = 0.6

export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Appends a run. The values must be column integers; the array is borrowed and left as it is. */
export function writeIntegers(writer: ColumnWriter, values: ArrayLike<number>): void {
  const count = values.length
  if (count === 0) return
  writer.cells += count
  const { order, lag } = chooseSteps(values)
  let rest = Float64Array.from(values)
  const heads: number[] = []
  for (let pass = 0; pass < order; pass++) {
    heads.push(...rest.subarray(0, lag))
    rest = differences(rest, lag)
  }
  writeRest(writer, { order, lag }, heads, rest)
}

function differences(values: Float64Array, lag: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(values.length - lag)
  for (let i = 0; i < result.length; i++) result[i] = values[i + lag]! - values[i]!
  return result
}

function writeRest(
  writer: ByteWriter,
  { order, lag }: Steps,
  heads: readonly number[],
  rest: Float64Array,
): void {
  let min = rest[0]!
  let max = min
  let varintBytes = 0
  for (let i = 0; i < rest.length; i++) {
    const value = rest[i]!
    if (value < min) min = value
    else if (value > max) max = value
    varintBytes += varintLength(zigzag(value))
  }
  const planes = byteWidth(max - min)
  const width = varintBytes < planes * rest.length * VARINT_GAIN ? VARINTS : planes
  writer.u8(order | (lag > 1 ? LAG_BIT : 0) | (width << WIDTH_SHIFT))
  if (lag > 1) writer.varint(lag)
  for (const head of heads) writer.varint(zigzag(head))
  if (width === VARINTS) {
    writer.varint(varintBytes)
    for (let i = 0; i < rest.length; i++) writer.varint(zigzag(rest[i]!))
    return
  }
  writer.varint(zigzag(min))
  writePlanes(writer.room(rest.length * width), rest, min, width)
}

function writePlanes(target: Uint8Array, values: Float64Array, base: number, width: number): void {
  const count = values.length
  for (let i = 0; i < count; i++) {
    let rest = values[i]! - base
    for (let at = i; at < count * width; at += count) {
      target[at] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }
}

function varintLength(value: number): number {
  let length = 1
  for (let bound = 128; value >= bound; bound *= 128) length++
  return length
}

function byteWidth(range: number): number {
  let width = 0
  for (let rest = range; rest > 0; rest = Math.floor(rest / 256)) width++
  return width
}

/** How a run is replaced by its differences. */
interface Steps {
  readonly order: number
  readonly lag: number
}

function chooseSteps(values: ArrayLike<number>): Steps {
  const count = Math.min(values.length, SAMPLE)
  if (count < 3) return { order: 0, lag: 1 }
  const plain = new Float64Array(count)
  for (let i = 0; i < count; i++) plain[i] = values[i]!
  let best: Steps = { order: 0, lag: 1 }
  let bestBits = spreadBits(plain)
  const consider = (sample: Float64Array, steps: Steps, heads: Float64Array) => {
    let bits = spreadBits(sample)
    for (let i = 0; i < heads.length; i++) bits += 8 * varintLength(zigzag(heads[i]!))
    if (bits >= bestBits * GAIN) return
    best = steps
    bestBits = bits
  }
  const first = differences(plain, 1)
  consider(first, { order: 1, lag: 1 }, plain.subarray(0, 1))
  if (bestBits > 0) consider(differences(first, 1), { order: 2, lag: 1 }, plain.subarray(0, 2))
  if (bestBits > 0 && count >= LAGGED) {
    const lag = findLag(plain)
    consider(differences(plain, lag), { order: 1, lag }, plain.subarray(0, lag))
  }
  return best
}

/** The lag after which values are most alike, by a few of them: that of readings which several sources take in turn. */
function findLag(values: Float64Array): number {
  let best = 2
  let least = Number.POSITIVE_INFINITY
  for (let lag = 2; lag <= LAG_MAX; lag++) {
    let distance = 0
    for (let i = LAG_MAX; i < LAG_MAX + LAG_SAMPLE; i++) distance += Math.abs(values[i]! - values[i - lag]!)
    if (distance >= least) continue
    best = lag
    least = distance
  }
  return best
}

/** About how many bits it takes to tell the values, given their mean: noise costs its spread, equal values nothing. */
function spreadBits(values: Float64Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  const mean = Math.round(sum / values.length)
  let bits = 0
  for (let i = 0; i < values.length; i++) {
    const distance = Math.abs(values[i]! - mean)
    if (distance !== 0)
      bits += 1 + (distance < 0x4000_0000 ? 32 - Math.clz32(distance) : Math.log2(distance) + 1)
  }
  return bits
}

/** A run of integers, read from bytes that stay borrowed; decoded as a whole only where it has to be. */
export class Integers {
  readonly count: number
  readonly #order: number
  readonly #lag: number
  readonly #width: number
  readonly #heads: readonly number[]
  readonly #base: number
  readonly #bytes: Uint8Array
  #decoded: Float64Array | undefined

  private constructor(
    count: number,
    order: number,
    lag: number,
    width: number,
    heads: readonly number[],
    base: number,
    bytes: Uint8Array,
  ) {
    this.count = count
    this.#order = order
    this.#lag = lag
    this.#width = width
    this.#heads = heads
    this.#base = base
    this.#bytes = bytes
  }

  /** Takes a run of `count` from the reader, which then stands behind it. */
  static read(reader: ByteReader, count: number, budget: DecodeBudget): Integers {
    if (count === 0) return new Integers(0, 0, 1, 0, [], 0, new Uint8Array(0))
    budget.claim(count)
    const head = reader.u8()
    const order = head & ORDER_BITS
    const width = (head >> WIDTH_SHIFT) & WIDTH_BITS
    if ((head & RESERVED_BIT) !== 0 || order > 2 || width > VARINTS)
      throw new MalformedBytes('unknown run of integers')
    const lag = (head & LAG_BIT) === 0 ? 1 : reader.varint()
    if (lag < 1 || (order > 0 && lag * order >= count)) throw new MalformedBytes('lag past the run')
    const heads: number[] = []
    for (let i = 0; i < order * lag; i++) heads.push(unzigzag(reader.varint()))
    const base = width === VARINTS ? 0 : unzigzag(reader.varint())
    const bytes = width === VARINTS ? reader.bytes() : reader.raw(width * (count - order * lag))
    return new Integers(count, order, lag, width, heads, base, bytes)
  }

  /** The value that all have; undefined where they may differ. */
  get constant(): number | undefined {
    return this.#order === 0 && this.#width === 0 ? this.#base : undefined
  }

  /** The value at `index`, which must lie in the run. */
  at(index: number): number {
    if (this.#order === 0 && this.#width !== VARINTS) return this.#base + this.#plane(index, this.count)
    this.#decoded ??= this.#decode()
    return this.#decoded[index]!
  }

  #plane(index: number, count: number): number {
    const bytes = this.#bytes
    switch (this.#width) {
      case 0:
        return 0
      case 1:
        return bytes[index]!
      case 2:
        return bytes[index]! + bytes[index + count]! * 256
    }
    let value = 0
    for (let at = index + (this.#width - 1) * count; at >= 0; at -= count) value = value * 256 + bytes[at]!
    return value
  }

  #decode(): Float64Array {
    const values = new Float64Array(this.count)
    const lag = this.#lag
    const first = this.#order * lag
    values.set(this.#heads)
    if (this.#width === VARINTS) decodeVarints(this.#bytes, values, first)
    else {
      const count = this.count - first
      for (let i = 0; i < count; i++) values[first + i] = this.#base + this.#plane(i, count)
    }
    for (let start = first; start > 0; start -= lag)
      for (let i = start; i < values.length; i++) values[i] = values[i]! + values[i - lag]!
    return values
  }
}

function decodeVarints(bytes: Uint8Array, values: Float64Array, first: number): void {
  let at = 0
  for (let i = first; i < values.length; i++) {
    let value = 0
    let scale = 1
    let byte: number
    do {
      if (at >= bytes.length || scale > 2 ** 49)
        throw new MalformedBytes('a run of integers that ends too early')
      byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 0x80)
    values[i] = unzigzag(value)
  }
  if (at !== bytes.length) throw new MalformedBytes('a run of integers that ends too late')
}
