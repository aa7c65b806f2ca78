import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/bytes/hex.js'
import type { Value } from '../../src/codec/value.js'
import { canonicalBytes } from '../../src/document/canonical.js'
import {
  bodyHash,
  compareRevs,
  deriveRev,
  generationOf,
  isNativeDigest,
  parseRev,
} from '../../src/document/revision.js'
import { limits } from '../../src/limits.js'
import { disguise, fields, meaning } from './arbitrary.js'
import { untagBody } from './tagged-json.js'

interface Vectors {
  readonly cases: readonly {
    readonly name: string
    readonly parent: string | null
    readonly deleted: boolean
    readonly body: object
    readonly canonical: string
    readonly rev: string
    readonly bodyHash: string
  }[]
  readonly order: { readonly revs: readonly string[] }
  readonly wellFormed: readonly string[]
  readonly malformed: readonly string[]
}
const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/revisions.json'), 'utf8'),
) as Vectors

describe('the golden vectors hold', () => {
  test.each(vectors.cases)('$name', ({ parent, deleted, body, canonical, rev, bodyHash: hash }) => {
    const untagged = untagBody(body)
    expect(toHex(canonicalBytes(untagged))).toBe(canonical)
    expect(deriveRev(parent ?? undefined, deleted, untagged)).toBe(rev)
    expect(toHex(bodyHash(deleted, untagged))).toBe(hash)
  })

  test('for the order of revs', () => {
    const { revs } = vectors.order
    for (const [i, a] of revs.entries()) {
      for (const [j, b] of revs.entries())
        expect(Math.sign(compareRevs(a, b)), `${a} ${b}`).toBe(Math.sign(i - j))
    }
  })

  test('for what is a rev', () => {
    for (const rev of vectors.wellFormed) {
      const parsed = parseRev(rev)
      expect(`${parsed?.generation}-${parsed?.digest}`).toBe(rev)
      expect(generationOf(rev)).toBe(parsed?.generation)
    }
    for (const rev of vectors.malformed) expect(parseRev(rev), JSON.stringify(rev)).toBeUndefined()
  })
})

test('revs are the same if and only if parent, deletion and body mean the same', () => {
  const parent = fc.constantFrom(undefined, '1-a', '1-b', '2-a')
  const revision = fc.tuple(parent, fc.boolean(), fields)
  const inWords = ([of, deleted, body]: readonly [
    string | undefined,
    boolean,
    { readonly [name: string]: Value },
  ]) => `${of} ${deleted} ${meaning(body)}`
  fc.assert(
    fc.property(revision, revision, (a, b) => {
      expect(deriveRev(...a) === deriveRev(...b)).toBe(inWords(a) === inWords(b))
      expect(deriveRev(a[0], a[1], disguise(a[2]))).toBe(deriveRev(...a))
    }),
  )
})

test('a derived rev is one generation on, and native', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: limits.generation }), fields, (generation, body) => {
      const parsed = parseRev(deriveRev(`${generation}-x`, false, body))!
      expect(parsed.generation).toBe(Math.min(generation + 1, limits.generation))
      expect(isNativeDigest(parsed.digest)).toBe(true)
    }),
  )
})

test('a native digest is 32 lower-case hex digits', () => {
  const native = '0123456789abcdef0123456789abcdef'
  expect(isNativeDigest(native)).toBe(true)
  for (const digest of [
    '',
    native.slice(1),
    `${native}0`,
    native.toUpperCase(),
    native.replace('a', 'g'),
    `${native}\n`,
  ]) {
    expect(isNativeDigest(digest)).toBe(false)
  }
})

test('the hash of a foreign body covers whether it is deleted', () => {
  expect(toHex(bodyHash(true, {}))).not.toBe(toHex(bodyHash(false, {})))
})

test('a body that fails half-way, or is large, leaves no trace in the next digest', () => {
  const before = deriveRev(undefined, false, { a: 1 })
  const broken = {
    a: 1,
    get b(): number {
      throw new RangeError('no value')
    },
  }
  expect(() => deriveRev('1-a', false, broken)).toThrow(RangeError)
  expect(deriveRev(undefined, false, { a: 1 })).toBe(before)
  deriveRev(undefined, false, { text: 'x'.repeat(300_000) })
  expect(deriveRev(undefined, false, { a: 1 })).toBe(before)
})
