import { compareUtf8 } from '@mynah/core/replica'
import { Packr } from 'msgpackr'
import { frontCoded, frontDecoded } from './front-coding.js'
import { wireLimits } from './names.js'
import { Shape } from './shape.js'

/** Count of ids and sum of their fingerprints, as they travel: of a sum its last `wireLimits.printBytes`. */
export interface WireSum {
  readonly count: number
  readonly print: Uint8Array
}

/** A range of ids that is asked about. */
export interface AskedRange {
  readonly from: string
  /** Exclusive; undefined: to the end of all. */
  readonly to: string | undefined
  /** As the asking side has it: where the other has the same, it says so and no more. */
  readonly sum?: WireSum
}

/** What a mirror tells of a range. */
export type ToldRange =
  | { readonly kind: 'same' }
  /** In order; the first begins where the range does, each ends where the next begins, the last with the range. */
  | { readonly kind: 'parts'; readonly parts: readonly (WireSum & { readonly from: string })[] }
  /** All ids of the range, in order. */
  | { readonly kind: 'ids'; readonly ids: readonly ToldId[] }

/** An id and the fingerprint of its leaves, as it travels. */
export interface ToldId {
  readonly id: string
  readonly print: Uint8Array
}

/** The answer to `ranges`. */
export interface ToldRanges {
  /** For the first of the ranges asked about, in order; at least one. */
  readonly ranges: readonly ToldRange[]
  /** Leaves whose bodies the mirror is to hold and does not. */
  readonly owed: number
}

const packr = new Packr({ useRecords: false, variableMapSize: true })
const kinds = { same: 0, parts: 1, ids: 2 } as const
/** UTF-16 units of an id or a border, generously. */
const BORDER_CHARACTERS = 2_048
/** Values of an entry of an answer, but for its texts and counts. */
const ENTRY_VALUES = 6

/** The last bytes of a sum or a fingerprint: of a sum they are the sum of those of its fingerprints. */
export function wirePrint(sum: Uint8Array): Uint8Array {
  return sum.slice(-wireLimits.printBytes)
}

/** Whether two prints are of the same: both of one length. */
export function isSamePrint(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

/** The sum of prints, mod 2^128. */
export function addPrints(all: readonly { readonly print: Uint8Array }[]): Uint8Array {
  const sum = new Uint8Array(wireLimits.printBytes)
  for (const { print } of all) {
    let carry = 0
    for (let i = sum.length - 1; i >= 0; i--) {
      carry += sum[i]! + print[i]!
      sum[i] = carry
      carry >>= 8
    }
  }
  return sum
}

/** The body of `ranges`: at most `wireLimits.ranges`. */
export function encodeAskedRanges(asked: readonly AskedRange[]): Uint8Array {
  return pack(
    asked.map(({ from, to = '', sum }) =>
      sum === undefined ? [from, to] : [from, to, sum.count, sum.print],
    ),
  )
}

/** @throws MessageInvalidError */
export function decodeAskedRanges(bytes: Uint8Array): readonly AskedRange[] {
  const shape = new Shape('question about ranges')
  return shape.array(shape.msgpack(bytes, 1 + 5 * wireLimits.ranges), wireLimits.ranges).map((entry) => {
    const fields = shape.array(entry, 4)
    const to = shape.text(fields[1], BORDER_CHARACTERS)
    const range = { from: shape.text(fields[0], BORDER_CHARACTERS), to: to === '' ? undefined : to }
    if (fields.length === 2) return range
    const print = shape.bytes(fields[3], wireLimits.printBytes)
    return { ...range, sum: { count: shape.count(fields[2]), print } }
  })
}

/** The bytes of what a question about ranges is answered with. */
export function encodeToldRanges({ ranges, owed }: ToldRanges): Uint8Array {
  return pack({ owed, ranges: ranges.map(entryOf) })
}

function entryOf(told: ToldRange): readonly unknown[] {
  if (told.kind === 'same') return [kinds.same]
  if (told.kind === 'ids') {
    const prints = told.ids.map(({ print }) => print)
    return [kinds.ids, frontCoded(told.ids.map(({ id }) => id)), joined(prints)]
  }
  const [, ...borders] = told.parts.map(({ from }) => from)
  const counts = told.parts.map(({ count }) => count)
  return [kinds.parts, frontCoded(borders), counts, joined(told.parts.map(({ print }) => print))]
}

/**
 * The answer to a question about `asked`.
 * @throws MessageInvalidError also when ids or borders are not in order, or not in their range
 */
export function decodeToldRanges(bytes: Uint8Array, asked: readonly AskedRange[]): ToldRanges {
  const shape = new Shape('answer about ranges')
  const valuesMax = 16 + ENTRY_VALUES * asked.length + 3 * wireLimits.rangeTexts
  const message = shape.object(shape.msgpack(bytes, valuesMax))
  const entries = shape.array(message.ranges, asked.length)
  if (entries.length === 0 && asked.length > 0) shape.fail('it answers for no range')
  return {
    ranges: entries.map((entry, i) => toldOf(shape, entry, asked[i]!)),
    owed: shape.count(message.owed),
  }
}

function toldOf(shape: Shape, entry: unknown, range: AskedRange): ToldRange {
  const { from } = range
  const [kind, coded, ...rest] = shape.array(entry, 4)
  if (kind === kinds.same) return { kind: 'same' }
  const texts = textsOf(shape, coded)
  if (!areWithin(range, texts)) shape.fail('texts out of order, or of their range')
  if (kind === kinds.ids) {
    const prints = printsOf(shape, rest[0], texts.length)
    return { kind: 'ids', ids: texts.map((id, i) => ({ id, print: prints[i]! })) }
  }
  if (kind !== kinds.parts || texts[0] === from) return shape.fail('no part of a range')
  const froms = [from, ...texts]
  const counts = shape.array(rest[0], froms.length)
  if (counts.length !== froms.length) shape.fail(`${counts.length} counts of ${froms.length} parts`)
  const prints = printsOf(shape, rest[1], froms.length)
  const parts = froms.map((part, i) => ({ from: part, count: shape.count(counts[i]), print: prints[i]! }))
  return { kind: 'parts', parts }
}

function textsOf(shape: Shape, coded: unknown): readonly string[] {
  const values = shape.array(coded, 2 * wireLimits.rangeTexts)
  const texts: string[] = []
  for (let i = 0; i < values.length; i += 2) {
    const rest = shape.text(values[i + 1], BORDER_CHARACTERS)
    const text = frontDecoded(texts.at(-1) ?? '', shape.count(values[i]), rest)
    if (text === undefined || text.length > BORDER_CHARACTERS) return shape.fail('texts that do not go on')
    texts.push(text)
  }
  return texts
}

/** Whether the texts lie in the range, each behind the one before. */
function areWithin({ from, to }: AskedRange, texts: readonly string[]): boolean {
  const last = texts.at(-1)
  if (last !== undefined && to !== undefined && compareUtf8(last, to) >= 0) return false
  return texts.every((text, i) =>
    i === 0 ? compareUtf8(text, from) >= 0 : compareUtf8(text, texts[i - 1]!) > 0,
  )
}

function printsOf(shape: Shape, value: unknown, count: number): readonly Uint8Array[] {
  const bytes = shape.bytes(value, count * wireLimits.printBytes)
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray(i * wireLimits.printBytes, (i + 1) * wireLimits.printBytes),
  )
}

function joined(prints: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(prints.length * wireLimits.printBytes)
  for (const [i, print] of prints.entries()) bytes.set(print, i * wireLimits.printBytes)
  return bytes
}

function pack(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value))
}
