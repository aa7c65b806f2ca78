import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, toHex } from '../../src/bytes/hex.js'

test('hex digits are lower-case, two for each byte', () => {
  expect(toHex(Uint8Array.of(0, 1, 0x7f, 0x80, 0xab, 0xff))).toBe('00017f80abff')
  expect(toHex(new Uint8Array(0))).toBe('')
})

test('bytes come back from their hex digits', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes)
    }),
  )
})
