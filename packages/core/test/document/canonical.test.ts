import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../../src/bytes/byte-reader.js'
import { compareUtf8 } from '../../src/bytes/compare.js'
import { toHex } from '../../src/bytes/hex.js'
import type { Fields, Value } from '../../src/codec/value.js'
import { canonicalBytes } from '../../src/document/canonical.js'
import { disguise, fields, meaning } from './arbitrary.js'

const hex = (body: Fields | Uint8Array) => toHex(canonicalBytes(body))

/** Reads canonical bytes back, and refuses any other form: what can be read back so is injective. */
function decode(reader: ByteReader): Value {
  const tag = reader.u8()
  if (tag <= 2) return [null, false, true][tag]!
  if (tag === 3) return reader.f64()
  if (tag === 4) return decodeBigint(reader)
  if (tag === 5) return reader.text()
  if (tag === 6) return new Date(reader.f64())
  if (tag === 7) return reader.bytes().slice()
  if (tag === 8) return Array.from({ length: reader.varint() }, () => decode(reader))
  expect(tag).toBe(9)
  const entries = Array.from({ length: reader.varint() }, () => [reader.text(), decode(reader)] as const)
  for (const [i, [name]] of entries.entries()) {
    if (i > 0) expect(compareUtf8(entries[i - 1]![0], name)).toBeLessThan(0)
  }
  return Object.fromEntries(entries)
}

function decodeBigint(reader: ByteReader): bigint {
  const negative = reader.u8() === 1
  const magnitude = reader.bytes()
  expect(magnitude[0]).not.toBe(0)
  const value = magnitude.length === 0 ? 0n : BigInt(`0x${toHex(magnitude)}`)
  return negative ? -value : value
}

test('bodies have the same bytes if and only if they mean the same', () => {
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      expect(hex(a) === hex(b)).toBe(meaning(a) === meaning(b))
    }),
    { numRuns: 2_000 },
  )
})

test('the order of members and the sign of zero do not show', () => {
  fc.assert(
    fc.property(fields, (body) => {
      expect(hex(disguise(body))).toBe(hex(body))
    }),
  )
})

test('the meaning can be read back from the bytes, to the last of them', () => {
  fc.assert(
    fc.property(fields, (body) => {
      const reader = new ByteReader(canonicalBytes(body))
      expect(meaning(decode(reader))).toBe(meaning(body))
      reader.end()
    }),
    { numRuns: 1_000 },
  )
})

test('types that print alike have different bytes', () => {
  const alike: Value[] = [
    5,
    5n,
    '5',
    [5],
    { 5: 5 },
    new Date(5),
    Uint8Array.of(5),
    null,
    false,
    0,
    0n,
    '',
    [],
    {},
    new Uint8Array(0),
  ]
  expect(new Set(alike.map((value) => hex({ value }))).size).toBe(alike.length)
})

test('an opaque body is neither a body of fields nor a member of bytes', () => {
  const bytes = canonicalBytes({ a: 1 })
  expect(hex(bytes)).not.toBe(hex({ a: 1 }))
  expect(hex(bytes)).toBe(`0a${toHex(Uint8Array.of(bytes.length))}${toHex(bytes)}`)
})

test('many members are in the order of their names, as few are', () => {
  const many = Array.from({ length: 200 }, (_, i) => [`${i % 2 ? '\uffff' : '😀'}${i}`, i] as const)
  const read = decode(new ByteReader(canonicalBytes(Object.fromEntries(many)))) as Fields
  expect(Object.keys(read)).toEqual(
    many.map(([name]) => name).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  )
})
