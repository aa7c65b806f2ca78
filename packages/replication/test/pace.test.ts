import { expect, test } from 'vitest'
import { Pace } from '../src/client/pace.js'
import { MirrorRefusedError, MirrorUnreachableError } from '../src/errors.js'

const KIB = 1024
const failure = new MirrorUnreachableError('http://mirror.test/v1/notes', 'other side closed')

async function well(pace: Pace, times: number, bytes = KIB): Promise<number[]> {
  const sizes: number[] = []
  for (let i = 0; i < times; i++) {
    sizes.push(pace.bytes / KIB)
    await pace.learn(Promise.resolve(), () => bytes)
  }
  return sizes
}

async function fails(pace: Pace, error: Error = failure): Promise<void> {
  await expect(pace.learn(Promise.reject(error), () => 0)).rejects.toBe(error)
}

test('it begins low, and doubles with each that went well', async () => {
  expect(await well(new Pace(), 6)).toEqual([64, 128, 256, 512, 1024, 1024])
})

test('after a failure it grows at once to half of what failed, and carefully from there', async () => {
  const pace = new Pace()
  await well(pace, 3)
  await fails(pace)
  expect(pace.bytes).toBe(128 * KIB)
  expect(await well(pace, 1)).toEqual([128])
  await fails(pace)
  expect(pace.bytes).toBe(64 * KIB)
  const careful = Array(8).fill(128)
  expect(await well(pace, 10)).toEqual([64, ...careful, 256])
})

test('there is a least, from which it grows as well', async () => {
  const pace = new Pace()
  for (let i = 0; i < 5; i++) await fails(pace)
  const least = Array(8).fill(16)
  expect(await well(pace, 9)).toEqual([...least, 32])
})

test('an answer that refuses says nothing of the line', async () => {
  const pace = new Pace()
  await fails(pace, new MirrorRefusedError('http://mirror.test/v1/notes', 'MYNAH_FORBIDDEN', 'no'))
  expect(pace.bytes).toBe(64 * KIB)
})

test('what is little says nothing of the line', async () => {
  expect(await well(new Pace(), 3, KIB - 1)).toEqual([64, 64, 64])
})

test('of several at once that fail the first counts, and one that asked for more before says nothing', async () => {
  const pace = new Pace()
  await well(pace, 2)
  await Promise.all([fails(pace), fails(pace), fails(pace)])
  expect(pace.bytes).toBe(64 * KIB)
  expect(await well(pace, 2)).toEqual([64, 128])
  const late = pace.learn(new Promise((_, reject) => setTimeout(reject, 10, failure)), () => 0)
  await fails(pace)
  await fails(pace)
  expect(pace.bytes).toBe(16 * KIB)
  await expect(late).rejects.toBe(failure)
  // Half of 32 KiB, which failed last, and not of 128.
  expect(await well(pace, 2)).toEqual([16, 16])
})
