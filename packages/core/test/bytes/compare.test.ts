import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, compareUtf8 } from '../../src/bytes/compare.js'

/** Strings where UTF-16 order and UTF-8 order part: around the surrogates. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('a', 'b', '\u0000', '\ud7ff', '\ue000', '\uffff', '😀', '𐀀'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 8,
})

test('bytes are ordered as by memcmp', () => {
  fc.assert(
    fc.property(fc.uint8Array({ max: 3, maxLength: 5 }), fc.uint8Array({ max: 3, maxLength: 5 }), (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
    }),
  )
})

test('strings are ordered by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

test('a character past U+FFFF goes after all others, unlike in UTF-16', () => {
  expect('\uffff' < '😀').toBe(false)
  expect(compareUtf8('\uffff', '😀')).toBeLessThan(0)
  expect(compareUtf8('😀', '\ue000')).toBeGreaterThan(0)
})
