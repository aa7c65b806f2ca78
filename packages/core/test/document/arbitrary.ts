import fc from 'fast-check'
import type { Fields, Value } from '../../src/codec/value.js'

const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'Z', '_', '$', ' ', '0') },
  fc.constantFrom('\u0000', 'é', '世', '\ud7ff', '\ue000', '\uffff', '😀'),
)
const text = fc.string({ unit: character, maxLength: 6 })
const name = fc.oneof(
  { weight: 8, arbitrary: text },
  fc.constantFrom('__proto__', 'toString', 'constructor', 'id', '7', '10'),
)

/** Few values, so that equal ones are met often, and those that some encoding takes for each other. */
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(
    null,
    true,
    false,
    0,
    1,
    5,
    '',
    '0',
    '5',
    0n,
    5n,
    -5n,
    256n,
    new Date(0),
    new Date(5),
    new Uint8Array(0),
  ),
  text,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.bigInt(),
  fc.uint8Array({ maxLength: 3 }),
  fc.date({ noInvalidDate: true }),
)

export const { fields } = fc.letrec<{ value: Value; fields: Fields }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('fields'),
  ),
  fields: fc
    .array(fc.tuple(name, tie('value')), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries)),
}))

/** The same meaning in another form: members in another order, zeros as -0. */
export function disguise(body: Fields): Fields {
  return disguiseValue(body) as Fields
}

function disguiseValue(value: Value): Value {
  if (value === 0) return -0
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return value.map(disguiseValue)
  const entries = Object.entries(value as Fields).reverse()
  return Object.fromEntries(entries.map(([key, of]) => [key, disguiseValue(of)]))
}

/** The naive model of meaning: text that is the same for two values only if they mean the same. */
export function meaning(value: Value): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return `number ${value === 0 ? '0' : value}`
  if (typeof value === 'bigint') return `bigint ${value}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Date) return `date ${value.getTime()}`
  if (value instanceof Uint8Array) return `bytes ${value.join()}`
  if (Array.isArray(value)) return `[${value.map(meaning).join()}]`
  const members = Object.entries(value as Fields).map(([key, of]) => `${JSON.stringify(key)}:${meaning(of)}`)
  return `{${members.sort().join()}}`
}

/** What two values have in common that could be changed through either. */
export function shared(a: unknown, b: unknown, seen: unknown[] = []): unknown[] {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return seen
  if (a === b || (a instanceof Uint8Array && b instanceof Uint8Array && a.buffer === b.buffer)) seen.push(a)
  if (a instanceof Uint8Array) return seen
  for (const [name, value] of Object.entries(a)) {
    shared(value, Object.getOwnPropertyDescriptor(b, name)?.value, seen)
  }
  return seen
}
