import fc from 'fast-check'
import { expect, test } from 'vitest'
import { uuidSource } from '../../src/document/uuid.js'
import { acceptId } from '../../src/document/validate.js'
import type { Env } from '../../src/env/env.js'
import { nodeEnv } from '../../src/env/node-env.js'

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

function envAt(times: readonly number[], byte?: number): Env {
  const queue = [...times]
  return {
    ...nodeEnv,
    now: () => queue.shift()!,
    ...(byte !== undefined && { randomBytes: (length: number) => new Uint8Array(length).fill(byte) }),
  }
}

test('ids are UUIDv7s of the present, valid as ids of documents', () => {
  const id = uuidSource(envAt([0x0123_4567_89ab]))()
  expect(id).toMatch(FORM)
  expect(id.slice(0, 13)).toBe('01234567-89ab')
  expect(acceptId(id)).toBe(id)
})

test('each is greater than the one before, however the clock moves', () => {
  const step = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -1_000_000, max: 1_000_000 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      let time = 1_700_000_000_000
      const times = steps.map((by) => (time += by))
      const next = uuidSource(envAt(times))
      const ids = times.map(() => next())
      for (const [i, id] of ids.entries()) {
        expect(id).toMatch(FORM)
        if (i > 0) expect(id > ids[i - 1]!).toBe(true)
      }
    }),
    { numRuns: 50 },
  )
})

test('a counter that begins at its highest does not run over within the millisecond', () => {
  const next = uuidSource(envAt([5, 5, 5], 0xff))
  const ids = [next(), next(), next()]
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids.map((id) => id.slice(0, 13))).size).toBe(1)
})

test('two sources never give the same id', () => {
  const times = Array<number>(200).fill(1_700_000_000_000)
  const [a, b] = [uuidSource(envAt(times)), uuidSource(envAt(times))]
  expect(new Set(times.flatMap(() => [a(), b()])).size).toBe(400)
})
