import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedBytes } from '../../../src/bytes/byte-reader.js'
import { crc32c } from '../../../src/index/leveldb/crc32c.js'
import { unsnap } from '../../../src/index/leveldb/snappy.js'
import { followEdits } from '../../../src/index/leveldb/version.js'

test('CRC-32C gives the values of RFC 3720', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
})

test('slices of sixteen give what one byte after the other gives', () => {
  const slow = (bytes: Uint8Array): number => {
    let crc = -1
    for (const byte of bytes) {
      crc ^= byte
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
    }
    return ~crc >>> 0
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), fc.nat(20), (bytes, skip, less) => {
      const to = Math.max(skip, bytes.length - less)
      expect(crc32c(bytes, Math.min(skip, bytes.length), Math.min(to, bytes.length))).toBe(
        slow(bytes.subarray(skip, to)),
      )
    }),
  )
})

test('what Snappy made is read: literals, short and long copies, copies of what they write', () => {
  const text = (bytes: readonly number[]) => new TextDecoder().decode(unsnap(Uint8Array.from(bytes)))
  expect(text([0])).toBe('')
  expect(text([3, 2 << 2, 97, 98, 99])).toBe('abc')
  expect(text([8, 0, 97, ((7 - 1) << 2) | 2, 1, 0])).toBe('aaaaaaaa')
  expect(text([9, 2 << 2, 97, 98, 99, ((6 - 4) << 2) | 1, 3])).toBe('abcabcabc')
  expect(text([5, (60 << 2) | 0, 2, 97, 98, 99, ((2 - 1) << 2) | 3, 3, 0, 0, 0])).toBe('abcab')
})

test('bytes that are not of Snappy, or of version edits, are refused', () => {
  const refuses = (run: (bytes: Uint8Array) => unknown) =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          run(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
        }
      }),
      { numRuns: 2_000 },
    )
  refuses(unsnap)
  refuses((bytes) => followEdits([bytes]))
  for (const bytes of [[5], [255, 255, 255, 255, 15], [1, 8, 97], [4, 0, 97, 10, 2, 0], [4, 0, 97, 10, 0, 0]])
    expect(() => unsnap(Uint8Array.from(bytes))).toThrow(MalformedBytes)
})

test('a table that moves down a level in one edit stays named', () => {
  const table = (number: number) => [7, 1, number, 100, 1, 97, 1, 98]
  const { tables, logNumber } = followEdits([
    Uint8Array.from([2, 3, ...table(5).with(1, 0)]),
    Uint8Array.from([6, 0, 5, ...table(5), 6, 1, 9, 2, 8]),
  ])
  expect(tables.map(({ number, length }) => [number, length])).toEqual([[5, 100]])
  expect(logNumber).toBe(8)
})
