import type { Value } from '@mynah/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { documentJson, parseDocumentJson } from '../src/protocol/document-json.js'

/** The other direction, written from the page and not from the code. */
function untag(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(untag)
  if (typeof value !== 'object' || value === null) return value
  const { $date, $bytes, $bigint } = value as Record<string, string | undefined>
  if ($date !== undefined) return new Date($date)
  if ($bytes !== undefined) return new Uint8Array(Buffer.from($bytes, 'base64'))
  if ($bigint !== undefined) return BigInt($bigint)
  const plain = Object.entries(value).map(
    ([member, held]) => [member.replace(/^\$\$/, '$'), untag(held)] as const,
  )
  return fromEntries(plain)
}

/** Without a prototype, so that `__proto__` is a member. */
function fromEntries(entries: Iterable<readonly [string, unknown]>): object {
  const object = Object.create(null) as Record<string, unknown>
  for (const [member, value] of entries) object[member] = value
  return object
}

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.string({ unit: 'grapheme' }),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
    fc.array(tie('value')),
    fc
      .array(
        fc.tuple(
          fc.oneof(fc.string(), fc.constantFrom('__proto__', '$date', '$', '$$x', '$bytes', '$bigint')),
          tie('value'),
        ),
      )
      .map((entries) => fromEntries(entries) as Value),
  ),
}))

test('every value comes back as itself', () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(untag(JSON.parse(documentJson(original)))).toEqual(original)
    }),
  )
})

test('the tags are those of the page', () => {
  const json = documentJson({
    at: new Date(0),
    raw: new Uint8Array([1, 2, 3]),
    big: -5n,
    $date: 'a member',
    none: undefined,
  })
  expect(json).toBe(
    '{"at":{"$date":"1970-01-01T00:00:00.000Z"},"raw":{"$bytes":"AQID"},"big":{"$bigint":"-5"},"$$date":"a member"}',
  )
})

test('what is nested too deep is refused before it is parsed, and brackets in texts are none', () => {
  const deep = (levels: number, pad = '') => `{"pad":"${pad}","a":${'['.repeat(levels)}${']'.repeat(levels)}}`
  const pad = '[\\"{'.repeat(5_000)
  for (const text of [deep(100), deep(100, pad)]) expect(parseDocumentJson(text)).toHaveProperty('a')
  for (const text of [deep(101), deep(101, pad), '['.repeat(8_000_000), '{"a":'.repeat(3_000_000)]) {
    const begun = performance.now()
    expect(() => parseDocumentJson(text)).toThrow(/deeper than 100 levels/)
    expect(performance.now() - begun).toBeLessThan(1_000)
  }
  expect(() => parseDocumentJson(`{"a":"${'['.repeat(20_000)}`)).toThrow(/not JSON/)
})
