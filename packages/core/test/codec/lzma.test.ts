import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compress, decompress } from '../../src/codec/lzma.js'

const text = new TextEncoder().encode('It was the best of times, it was the worst of times. '.repeat(2000))

test.each(['fast', 'best'] as const)('%s compresses, and what was compressed comes back', async (effort) => {
  const packed = await compress(text, { effort })
  expect(packed.length).toBeLessThan(400)
  deepStrictEqual(await decompress(packed, text.length), text)
})

test('any bytes come back, also bytes that look like the end of a stream', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 5000 }),
        fc.constantFrom('YZ', 'YZYZYZYZ').map((t) => new TextEncoder().encode(t)),
      ),
      fc.constantFrom('fast' as const, 'best' as const),
      async (array, effort) => {
        const bytes = new Uint8Array(array)
        deepStrictEqual(await decompress(await compress(bytes, { effort }), bytes.length), bytes)
      },
    ),
    { numRuns: 60 },
  )
})

test('many at once come back, each its own', async () => {
  const inputs = Array.from({ length: 16 }, (_, i) => text.subarray(i * 100, i * 100 + 60_000))
  const packed = await Promise.all(inputs.map((input) => compress(input, { effort: 'fast' })))
  const back = await Promise.all(packed.map((bytes, i) => decompress(bytes, inputs[i]!.length)))
  for (const [i, bytes] of back.entries()) deepStrictEqual(bytes, inputs[i]!.slice())
})

test('a stream that is cut, longer than declared, shorter, or followed by something is refused', async () => {
  const packed = await compress(text, { effort: 'best' })
  for (let length = 0; length < packed.length; length++)
    await expect(decompress(packed.subarray(0, length), text.length)).rejects.toThrow()
  await expect(decompress(packed, text.length - 1)).rejects.toThrow('more bytes than were declared')
  await expect(decompress(packed, text.length + 1)).rejects.toThrow('fewer bytes than were declared')
  await expect(decompress(new Uint8Array([...packed, 0]), text.length)).rejects.toThrow('after the end')
})

test('a stream that is changed anywhere is refused, or gives bytes of the declared length', async () => {
  const packed = await compress(text, { effort: 'fast' })
  for (let at = 0; at < packed.length; at++) {
    const changed = packed.slice()
    changed[at]! ^= 1 << (at % 8)
    const result = await decompress(changed, text.length).catch((error: unknown) => error)
    expect(result instanceof Error || (result instanceof Uint8Array && result.length === text.length)).toBe(
      true,
    )
  }
})

test('a bomb stops soon after the declared length, with little memory', async () => {
  const bomb = await compress(new Uint8Array(64 * 1024 * 1024), { effort: 'fast' })
  expect(bomb.length).toBeLessThan(16_000)
  const before = process.memoryUsage().rss
  await expect(decompress(bomb, 65_536)).rejects.toThrow()
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
})

test('encoders and decoders that were used or failed keep no memory', async () => {
  const packed = await compress(text, { effort: 'best' })
  const round = async () => {
    for (let i = 0; i < 100; i++) {
      await compress(text.subarray(0, 20_000), { effort: 'best' })
      await decompress(packed.subarray(0, 100), text.length).catch(() => undefined)
    }
  }
  await round()
  const before = process.memoryUsage().rss
  await round()
  expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024)
})
