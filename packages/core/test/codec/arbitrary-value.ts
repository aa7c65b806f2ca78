import fc from 'fast-check'
import type { Fields, Value } from '../../src/codec/value.js'

const names = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'time',
    'value',
    '__proto__',
    'constructor',
    'toString',
    '',
    '0',
    '17',
    'ключ',
    '💧',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)

const numbers = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.integer({ min: -100_000, max: 100_000 }).map((value) => value / 100),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    5e-324,
    -2.2e-308,
    1.7976931348623157e308,
    2 ** 50,
    2 ** 50 + 1,
    -(2 ** 53) + 1,
    0.1 + 0.2,
    1e21,
  ),
)

const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.constantFrom('ok', 'low', 'fault'),
  fc.uuid(),
  fc.nat(99_999).map((n) => `sensor-${String(n).padStart(4, '0')}/t${n}`),
  fc.webUrl(),
)

const dates = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc.constantFrom(8.64e15, -8.64e15, 0).map((time) => new Date(time)),
)

const scalars: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  numbers.map((value) => value + 0),
  texts,
  fc.bigInt(),
  fc.bigInt({ min: -1000n, max: 1000n }),
  dates,
  fc.uint8Array({ maxLength: 20 }).map((bytes) => new Uint8Array(bytes)),
)

/** Own members of any name, in any order. */
function objectOf(entries: readonly (readonly [string, Value])[]): Fields {
  const object: { [member: string]: Value } = {}
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  return object
}

const { object, value } = fc.letrec<{ object: Fields; value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalars,
    fc.array(tie('value'), { maxLength: 6 }),
    tie('object'),
  ),
  object: fc
    .uniqueArray(fc.tuple(names, tie('value')), { selector: ([name]) => name, maxLength: 6 })
    .map(objectOf),
}))

/** Any value that a document can hold. */
export const arbitraryValue = value

/** Any body of a document. */
export const arbitraryFields = object

/** Values of one kind, so that its columns are met in full length. */
export const arbitraryColumn: fc.Arbitrary<readonly Value[]> = fc.oneof(
  fc.array(value, { maxLength: 40 }),
  ...[
    fc.boolean(),
    fc.integer({ min: -5, max: 300 }),
    fc.maxSafeInteger(),
    fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    numbers.map((number) => number + 0),
    fc.integer({ min: -100_000, max: 100_000 }).map((number) => number / 1000),
    texts,
    fc.uuid(),
    fc.nat(120).map((n) => `room ${n}, door ${String(n % 7).padStart(3, '0')}`),
    fc.nat(2000).map((n) => `https://example.org/things/${n.toString(36)}x/detail`),
    fc.constantFrom('north', 'south', 'east'),
    fc.bigInt(),
    fc.bigInt({ min: -9n, max: 9n }),
    dates,
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new Uint8Array(bytes)),
    fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 8 }),
    object,
    fc.record(
      { a: numbers.map((number) => number + 0), b: texts, c: fc.option(fc.boolean()) },
      { noNullPrototype: true },
    ),
    fc.record({ a: fc.integer(), b: texts, c: fc.boolean() }, { requiredKeys: ['a'], noNullPrototype: true }),
  ].map((item) => fc.array(item as fc.Arbitrary<Value>, { maxLength: 150 })),
)
