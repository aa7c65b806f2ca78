import type { Value } from '@mynah/core'
import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { documentMsgpack, parseDocumentMsgpack } from '../src/protocol/document-msgpack.js'

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 300 }),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')), tie('value'), {
      noNullPrototype: true,
    }),
  ),
}))

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))

describe('a document as msgpack', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(value, (one) => {
        expect(parseDocumentMsgpack(documentMsgpack(one as Value))).toEqual(one)
        expect(parseDocumentMsgpack(Buffer.from(documentMsgpack(one as Value)))).toEqual(one)
      }),
      { numRuns: 500 },
    )
  })

  test('is read by a library, and what a library wrote is read', () => {
    const packr = new Packr({ useRecords: false, useBigIntExtension: true })
    const unpackr = new Unpackr({ useRecords: false })
    fc.assert(
      fc.property(value, (one) => {
        // The library gives this one member another name, and its bytes are of a class of Node's.
        fc.pre(!JSON.stringify(documentMsgpackText(one)).includes('__proto__'))
        expect(plain(unpackr.unpack(documentMsgpack(one as Value)))).toEqual(plain(one))
        expect(plain(parseDocumentMsgpack(new Uint8Array(packr.pack(one))))).toEqual(plain(one))
      }),
      { numRuns: 300 },
    )
  })

  test('has the bytes of the specification', () => {
    const golden: readonly (readonly [Value, string])[] = [
      [{}, '80'],
      [{ a: [1, -1, 255, -129] }, '81a16194 01 ff ccff d1ff7f'],
      [1.5, 'cb 3ff8000000000000'],
      [2 ** 40, 'cb 4270000000000000'],
      [5n, 'd3 0000000000000005'],
      [2n ** 63n, 'cf 8000000000000000'],
      [2n ** 64n, 'c7 09 42 010000000000000000'],
      [new Date(1_500), 'c7 0c ff 1dcd6500 0000000000000001'],
      [new Uint8Array([1, 2]), 'c4 02 0102'],
      ['é', 'a2 c3a9'],
    ]
    for (const [one, bytes] of golden) expect(documentMsgpack(one)).toEqual(hex(bytes.replaceAll(' ', '')))
    expect(parseDocumentMsgpack(hex('d6ff00000001'))).toEqual(new Date(1_000))
    expect(parseDocumentMsgpack(hex('ca3fc00000'))).toBe(1.5)
  })

  test('that no document can be is refused', () => {
    const hostile = [
      '',
      'c1',
      '81',
      '8101a0',
      'dd ffffffff',
      'df ffffffff 00',
      'c6 ffffffff 00',
      'd9 05 61',
      'a2 c328',
      'd4 01 00',
      'd4 72 00',
      'c7 00 42',
      'd7 ff ffffffffffffffff',
      'c7 0c ff 00000000 7fffffffffffffff',
      '8080',
      '91'.repeat(200),
      'dd00000001'.repeat(100_000),
    ]
    for (const bytes of hostile) {
      expect(() => parseDocumentMsgpack(hex(bytes.replaceAll(' ', '')))).toThrow(
        expect.objectContaining({ code: 'MYNAH_MESSAGE_INVALID' }),
      )
    }
  })

  test('of any bytes is a value or the error of its kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          documentMsgpack(parseDocumentMsgpack(bytes))
        } catch (error) {
          expect(error).toMatchObject({ code: 'MYNAH_MESSAGE_INVALID' })
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Only to look for names in. */
function documentMsgpackText(one: unknown): string {
  return new TextDecoder('latin1').decode(documentMsgpack(one as Value))
}

function plain(one: unknown): unknown {
  if (one instanceof Uint8Array) return [...one]
  // The library writes -0 as 0.
  if (one === 0) return 0
  if (typeof one !== 'object' || one === null || one instanceof Date) return one
  if (Array.isArray(one)) return one.map(plain)
  return Object.fromEntries(Object.entries(one).map(([name, held]) => [name, plain(held)]))
}
