import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBytes } from '../../src/bytes/byte-reader.js'
import { bytesJustifying, COLUMN, ColumnWriter, DecodeBudget } from '../../src/codec/column-format.js'
import { openColumn } from '../../src/codec/column-read.js'
import { writeColumn } from '../../src/codec/column-write.js'
import type { Value } from '../../src/codec/value.js'
import { arbitraryColumn, arbitraryValue } from './arbitrary-value.js'

function encode(values: readonly Value[]): Uint8Array {
  const writer = new ColumnWriter()
  writeColumn(writer, values)
  return writer.finish()
}

function open(bytes: Uint8Array, count: number, spare = 0) {
  return openColumn(bytes, count, new DecodeBudget(bytes.length + spare, count))
}

/** The bytes that a block would be padded to. */
function spareFor(values: readonly Value[]): number {
  const writer = new ColumnWriter()
  writeColumn(writer, values)
  return Math.max(0, bytesJustifying(writer.cells, values.length) - writer.length)
}

describe('round trip', () => {
  test('any values come back as themselves, each read alone and in any order', () => {
    fc.assert(
      fc.property(arbitraryColumn, fc.infiniteStream(fc.nat()), (values, places) => {
        const bytes = encode(values)
        const spare = spareFor(values)
        const inOrder = open(bytes, values.length, spare)
        for (const [i, value] of values.entries()) deepStrictEqual(inOrder.get(i), value)
        for (const place of places.take(Math.min(values.length, 5))) {
          const i = place % values.length
          deepStrictEqual(open(bytes, values.length, spare).get(i), values[i])
        }
      }),
      { numRuns: 600 },
    )
  })

  test('objects keep the order of their members', () => {
    fc.assert(
      fc.property(
        fc.array(fc.shuffledSubarray(['z', 'b', 'a', '__proto__', 'constructor', '']), { minLength: 1 }),
        (orders) => {
          const objects = orders.map((names) => Object.fromEntries(names.map((name, i) => [name, i])))
          const column = open(encode(objects), objects.length)
          for (const [i, object] of objects.entries())
            expect(Object.entries(column.get(i) as object)).toStrictEqual(Object.entries(object))
        },
      ),
    )
  })

  test('every double comes back to the last bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 30 }),
        (doubles) => {
          const values = doubles.map((value) => value + 0)
          const column = open(encode(values), values.length)
          for (const [i, value] of values.entries()) expect(Object.is(column.get(i), value)).toBe(true)
        },
      ),
    )
  })

  test('a member called __proto__ is a member and nothing else', () => {
    const object = JSON.parse('{"__proto__":{"polluted":1},"a":1}') as Value
    for (const values of [[object], [object, object], [object, { a: 2 }, object]]) {
      const back = open(encode(values), values.length).get(0) as object
      expect(Object.keys(back)).toStrictEqual(['__proto__', 'a'])
      expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    }
  })
})

const many = <T>(make: (i: number) => T): T[] => Array.from({ length: 200 }, (_, i) => make(i))
const noise = (i: number) => ((i * 2654435761) % 4294967296) / 4294967296
const hex = (i: number) =>
  Math.floor(noise(i) * 2 ** 32)
    .toString(16)
    .padStart(8, '0')

describe('the layout follows the content', () => {
  test.each<[keyof typeof COLUMN, Value[], number]>([
    ['constant', many(() => 'the same'), 40],
    ['constant', many(() => null), 4],
    ['rows', [{ any: 'thing' }], 20],
    ['rows', many((i) => ({ [`name ${i}`]: i })), 4000],
    ['booleans', many((i) => i % 3 === 0), 28],
    ['integers', many((i) => 1_795_000_000_000 + i * 1000), 16],
    ['integers', many((i) => 1_795_000_000_000 + i * 1000 + Math.floor(noise(i) * 50)), 220],
    ['integers', many((i) => i * i), 16],
    ['decimals', many((i) => 2000 / 100 + Math.floor(noise(i) * 200) / 100), 220],
    ['doubles', many((i) => noise(i) * Math.PI), 1610],
    ['dates', many((i) => new Date(1_795_000_000_000 + i * 60_000)), 16],
    ['smallBigints', many((i) => BigInt(i)), 16],
    ['bigints', many((i) => 2n ** 70n + BigInt(i)), 2000],
    ['bytes', many((i) => new Uint8Array([i, 1, 2])), 610],
    ['strings', many((i) => `${hex(i)}${hex(i + 7)}`), 3300],
    ['frontCoded', many((i) => `https://example.org/a/long/path/${hex(i)}x`), 2500],
    ['dictionary', many((i) => ['low', 'middle', 'high'][Math.floor(noise(i) * 3)]!), 240],
    [
      'pattern',
      many((i) => `sensor-${String(i % 50).padStart(4, '0')}/${new Date(i * 977_000).toISOString()}`),
      950,
    ],
    ['uuids', many((i) => `${hex(i)}-0000-7000-8000-${hex(i)}0000`), 3500],
    ['arrays', many((i) => [i, 1]), 420],
    ['objects', many((i) => ({ a: i, b: 'x' })), 30],
    ['objects', many((i) => (i % 5 === 0 ? { a: i, c: i, b: true } : { a: i, b: true })), 300],
    ['mixed', many((i) => (i % 2 === 0 ? null : i)), 240],
  ])('%s', (layout, values, bytesMost) => {
    const bytes = encode(values)
    expect(bytes[0]).toBe(COLUMN[layout])
    expect(bytes.length).toBeLessThanOrEqual(bytesMost)
    const column = open(bytes, values.length)
    for (const [i, value] of values.entries()) expect(column.get(i)).toStrictEqual(value)
  })

  test('readings that several sources take in turn are compared each with its own last', () => {
    const values = Array.from({ length: 400 }, (_, i) => 1_000_000 * (i % 10) + Math.floor(i / 10))
    expect(encode(values).length).toBeLessThan(60)
    const column = open(encode(values), values.length)
    for (const [i, value] of values.entries()) expect(column.get(i)).toBe(value)
  })

  test('values nested as deep as a document may be', () => {
    let value: Value = 1
    for (let depth = 0; depth < 100; depth++) value = depth % 2 === 0 ? [value] : { d: value }
    for (const values of [[value], [value, value, value]])
      expect(open(encode(values), values.length).get(0)).toStrictEqual(value)
  })
})

describe('hostile bytes', () => {
  function read(bytes: Uint8Array, count: number): void {
    try {
      const column = open(bytes, count)
      for (let i = 0; i < Math.min(count, 1000); i++) column.get(i)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
    }
  }

  test('any bytes are values or MalformedBytes', () => {
    fc.assert(
      fc.property(fc.nat(18), fc.uint8Array({ maxLength: 60 }), fc.nat(70_000), (tag, bytes, count) =>
        read(new Uint8Array([tag, ...bytes]), count),
      ),
      { numRuns: 3000 },
    )
  })

  test('bytes changed anywhere are values or MalformedBytes', () => {
    fc.assert(
      fc.property(
        arbitraryColumn,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.nat(2),
        (values, changes, more) => {
          const bytes = encode(values)
          if (bytes.length === 0) return
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          read(bytes, values.length + more)
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('values nested too deep are refused, in rows and in columns', () => {
    let value: Value = 1
    for (let depth = 0; depth < 101; depth++) value = [value]
    for (const values of [[value], [value, value]])
      expect(() => open(encode(values), values.length).get(0)).toThrow(MalformedBytes)
  })

  test('nothing is built that the bytes do not justify', () => {
    const bombs: Value[][] = [
      Array.from({ length: 2 }, () => new Array<Value>(300_000).fill(null)),
      Array.from({ length: 300 }, () => new Array<Value>(1000).fill({})),
    ]
    for (const values of bombs) {
      const bytes = encode(values)
      expect(bytes.length).toBeLessThan(100)
      expect(() => open(bytes, values.length).get(0)).toThrow(MalformedBytes)
      expect(open(bytes, values.length, spareFor(values)).get(1)).toStrictEqual(values[1])
    }
  })

  test('a record that repeats a long text too often is refused', () => {
    const text = 'x'.repeat(1_000_000)
    const values = [new Array<Value>(40).fill(text), []]
    expect(() => open(encode(values), 2).get(0)).toThrow('a record that is too large')
  })

  test('a document cannot hold a function, undefined or a symbol', () => {
    for (const value of [undefined, () => 1, Symbol('s')])
      for (const values of [[value], [value, value], [{ a: value }]])
        expect(() => encode(values as unknown as Value[])).toThrow(TypeError)
  })
})

test('a value takes no more in a column of its own than in MessagePack and some tens of bytes', () => {
  fc.assert(
    fc.property(arbitraryValue, (value) => {
      expect(encode([value]).length).toBeLessThan(
        10 + 6 * JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).length,
      )
    }),
  )
})
