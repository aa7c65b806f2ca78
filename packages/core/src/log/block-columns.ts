import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { toHex } from '../bytes/hex.js'
import type { Column } from '../codec/column.js'
import type { DecodeBudget } from '../codec/column-format.js'
import { openColumn } from '../codec/column-read.js'
import { Integers } from '../codec/integers.js'
import { Rank } from '../codec/rank.js'
import { Spans } from '../codec/spans.js'
import type { Fields, Value } from '../codec/value.js'
import { limits } from '../limits.js'
import {
  DIGEST_BYTES,
  HASH_BYTES,
  KIND,
  ORIGIN_BYTES,
  SECTION,
  type Sections,
  TRAIT,
  TRAITS_END,
} from './block-format.js'

const NO_PATH: readonly string[] = []
const FOREIGN_DIGEST = /^[0-9A-Za-z]{1,128}$/

/** The sections of a block that tell its records. All methods take a record's index and throw MalformedBytes. */
export class BlockColumns {
  readonly #traits: Integers | undefined
  readonly #ids: Column
  readonly #generations: Integers | undefined
  readonly #arrivals: Integers
  readonly #origins: (index: number) => string
  readonly #paths: ((index: number) => readonly string[]) | undefined
  readonly #digests: Sparse
  readonly #bodyHashes: Sparse
  readonly #bodies: Sparse

  constructor(sections: Sections, budget: DecodeBudget) {
    const { count, parts } = sections
    this.#traits = readIntegers(parts[SECTION.traits], count, budget)
    if (this.#traits !== undefined) checkTraits(this.#traits)
    this.#ids = openColumn(required(parts[SECTION.ids]), count, budget)
    this.#generations = readIntegers(parts[SECTION.generations], count, budget)
    this.#arrivals = readIntegers(required(parts[SECTION.arrivals]), count, budget)!
    this.#origins = readOrigins(required(parts[SECTION.origins]), count, budget)
    this.#paths = readPaths(sections, budget, (index) => this.generationOf(index))
    const sparse = (bit: number, has: (traits: number) => boolean) =>
      new Sparse(parts[bit], count, this.#traits, has, budget)
    this.#digests = sparse(SECTION.digests, hasDigest)
    this.#bodyHashes = sparse(
      SECTION.bodyHashes,
      (traits) => isStub(traits) && (traits & TRAIT.foreign) !== 0,
    )
    this.#bodies = sparse(SECTION.bodies, (traits) => !isStub(traits))
  }

  traitsOf(index: number): number {
    return this.#traits === undefined ? 0 : this.#traits.at(index)
  }

  idOf(index: number): string {
    const id = this.#ids.get(index)
    if (typeof id !== 'string' || id.length === 0 || id.length > limits.idBytes)
      throw new MalformedBytes('no id')
    return id
  }

  generationOf(index: number): number {
    return requireGeneration(this.#generations === undefined ? 1 : this.#generations.at(index))
  }

  pathOf(index: number): readonly string[] {
    return this.#paths === undefined ? NO_PATH : this.#paths(index)
  }

  arrivalOf(index: number): number {
    return this.#arrivals.at(index)
  }

  originOf(index: number): string {
    return this.#origins(index)
  }

  /** The digest of the record's rev; undefined where it follows from the body. */
  digestOf(index: number): string | undefined {
    return hasDigest(this.traitsOf(index)) ? toDigest(this.#digests.get(index)) : undefined
  }

  /** Of a foreign stub. */
  bodyHashOf(index: number): Uint8Array {
    const hash = this.#bodyHashes.get(index)
    if (!(hash instanceof Uint8Array && hash.length === HASH_BYTES))
      throw new MalformedBytes('no hash of a body')
    return hash
  }

  /** Of a record that is no stub. */
  bodyOf(index: number): Fields | Uint8Array {
    const body = this.#bodies.get(index)
    const isObject =
      typeof body === 'object' && body !== null && !Array.isArray(body) && !(body instanceof Date)
    if (!isObject) throw new MalformedBytes('a body that is neither an object nor bytes')
    return body as Fields | Uint8Array
  }
}

/** A column that only some records have a value in. */
class Sparse {
  readonly #column: Column | undefined
  readonly #rank: Rank | undefined

  constructor(
    bytes: Uint8Array | undefined,
    count: number,
    traits: Integers | undefined,
    has: (traits: number) => boolean,
    budget: DecodeBudget,
  ) {
    const chosen = Array.from({ length: TRAITS_END }, (_, value) => has(value))
    let rows = 0
    for (let i = 0; i < count; i++) if (chosen[traits === undefined ? 0 : traits.at(i)]!) rows++
    if (bytes === undefined && rows > 0) throw new MalformedBytes('a section that is missing')
    if (bytes === undefined) return
    this.#column = openColumn(bytes, rows, budget)
    if (traits !== undefined && rows < count) this.#rank = new Rank(traits, chosen, budget)
  }

  /** The value of a record that has one. */
  get(index: number): Value {
    return this.#column!.get(this.#rank === undefined ? index : this.#rank.at(index))
  }
}

/** A section of as many integers as there are records; undefined where it is left out. @throws MalformedBytes */
export function readIntegers(
  bytes: Uint8Array | undefined,
  count: number,
  budget: DecodeBudget,
): Integers | undefined {
  if (bytes === undefined) return undefined
  const reader = new ByteReader(bytes)
  const integers = Integers.read(reader, count, budget)
  reader.end()
  return integers
}

function required(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new MalformedBytes('a section that is missing')
  return bytes
}

function isStub(traits: number): boolean {
  return (traits & TRAIT.kind) === KIND.stub
}

function hasDigest(traits: number): boolean {
  return isStub(traits) || (traits & TRAIT.foreign) !== 0
}

function checkTraits(traits: Integers): void {
  for (let i = 0; i < traits.count; i++) {
    const value = traits.at(i)
    if (!(value >= 0 && value < TRAITS_END && (value & TRAIT.kind) <= KIND.stub))
      throw new MalformedBytes(`unknown traits ${value} of a record`)
  }
}

function readOrigins(bytes: Uint8Array, count: number, budget: DecodeBudget): (index: number) => string {
  const reader = new ByteReader(bytes)
  const size = reader.varint()
  if (size < 1 || size > count) throw new MalformedBytes('a wrong number of origins')
  const table = reader.raw(size * ORIGIN_BYTES)
  const indexes = size === 1 ? undefined : Integers.read(reader, count, budget)
  reader.end()
  const texts: (string | undefined)[] = []
  return (index) => {
    const origin = indexes === undefined ? 0 : indexes.at(index)
    if (!(origin >= 0 && origin < size)) throw new MalformedBytes('an unknown origin')
    texts[origin] ??= toHex(table.subarray(origin * ORIGIN_BYTES, (origin + 1) * ORIGIN_BYTES))
    return texts[origin]
  }
}

function readPaths(
  { count, parts }: Sections,
  budget: DecodeBudget,
  generationOf: (index: number) => number,
): ((index: number) => readonly string[]) | undefined {
  const lengths = readIntegers(parts[SECTION.pathLengths], count, budget)
  if (lengths === undefined) return undefined
  const spans = new Spans(lengths, limits.blockBytes)
  const steps = readIntegers(parts[SECTION.steps], spans.total, budget)
  const ancestors = openColumn(parts[SECTION.ancestors] ?? new Uint8Array(0), spans.total, budget)
  return (index) => {
    const start = spans.start(index)
    const end = spans.start(index + 1)
    if (start === end) return NO_PATH
    if (end - start > limits.ancestors) throw new MalformedBytes('too many ancestors')
    const path: string[] = []
    let generation = generationOf(index)
    for (let i = start; i < end; i++) {
      generation = requireGeneration(generation - 1 - (steps === undefined ? 0 : steps.at(i)))
      path.push(`${generation}-${toDigest(ancestors.get(i))}`)
    }
    return path
  }
}

function requireGeneration(value: number): number {
  if (!(value >= 1 && value <= limits.generation)) throw new MalformedBytes(`a generation of ${value}`)
  return value
}

function toDigest(value: Value): string {
  if (value instanceof Uint8Array && value.length === DIGEST_BYTES) return toHex(value)
  if (typeof value === 'string' && FOREIGN_DIGEST.test(value)) return value
  throw new MalformedBytes('no digest of a revision')
}
