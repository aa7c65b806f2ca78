import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fields } from '../../src/codec/value.js'
import { copyFields, equalFields } from '../../src/document/validate.js'
import { disguise, fields, meaning, shared } from './arbitrary.js'

describe('a copy', () => {
  test('means the same and shares nothing', () => {
    fc.assert(
      fc.property(fields, (body) => {
        const copy = copyFields(body)
        expect(meaning(copy)).toBe(meaning(body))
        expect(shared(copy, body)).toEqual([])
      }),
    )
  })
})

describe('equality', () => {
  test('is that of canonical bytes', () => {
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        expect(equalFields(a, b)).toBe(meaning(a) === meaning(b))
        expect(equalFields(a, disguise(a))).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('does not take a missing member for one that every object has', () => {
    const own = JSON.parse('{"__proto__":{}}') as Fields
    expect(equalFields(own, { x: {} })).toBe(false)
    expect(equalFields({ x: {} }, own)).toBe(false)
  })
})
