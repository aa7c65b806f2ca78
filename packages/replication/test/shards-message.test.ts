import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeShards, decodeShardsAnswer, encodeShards, encodeShardsAnswer } from '../src/protocol/shards.js'

const shards = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })

test('several shards come back as they were', () => {
  fc.assert(
    fc.property(shards, fc.boolean(), (given, lost) => {
      const told = decodeShards(encodeShards({ shards: given, lost }))
      expect(told.lost).toBe(lost)
      expect(told.shards.map((shard) => [...shard])).toEqual(given.map((shard) => [...shard]))
    }),
  )
})

test('two shards, of which something is missing between them, have these bytes', () => {
  const bytes = encodeShards({ shards: [Uint8Array.of(1, 2), Uint8Array.of(3)], lost: true })
  expect(Buffer.from(bytes).toString('hex')).toBe('4d59535301010000000000020102000000' + '0103')
})

test('bytes that are no shards are refused, or some shards within them, and nothing else happens', () => {
  fc.assert(
    fc.property(shards, fc.nat(), fc.nat(255), fc.nat(), (given, at, byte, cut) => {
      const bytes = encodeShards({ shards: given, lost: false })
      bytes[at % bytes.length] = byte
      try {
        const told = decodeShards(bytes.subarray(0, cut % (bytes.length + 1)))
        const length = told.shards.reduce((sum, shard) => sum + shard.length, 0)
        expect(length).toBeLessThanOrEqual(bytes.length)
      } catch (error) {
        expect(error).toMatchObject({ code: 'MYNAH_MESSAGE_INVALID' })
      }
    }),
    { numRuns: 500 },
  )
})

const example = { position: { incarnation: 'a'.repeat(32), seq: 1 }, before: 0, taken: 0 }
const answer = fc.record({
  position: fc.record({
    incarnation: fc.stringMatching(/^[0-9a-f]{32}$/),
    seq: fc.nat(),
  }),
  before: fc.nat(),
  taken: fc.nat(),
  left: fc.uniqueArray(fc.nat(8_191)).map((places) => places.sort((a, b) => a - b)),
})

test('an answer to a push of shards comes back as it was, and whatever else comes is refused', () => {
  fc.assert(
    fc.property(answer, fc.nat(), fc.nat(255), (given, at, byte) => {
      const bytes = encodeShardsAnswer(given)
      expect(decodeShardsAnswer(bytes)).toEqual(given)
      bytes[at % bytes.length] = byte
      try {
        const { left } = decodeShardsAnswer(bytes)
        expect(left.every((place, index) => index === 0 || place > left[index - 1]!)).toBe(true)
      } catch (error) {
        expect(error).toMatchObject({ code: 'MYNAH_MESSAGE_INVALID' })
      }
    }),
  )
  for (const left of [[1, 1], [2, 1], Array.from({ length: 8_193 }, (_, at) => at)])
    expect(() => decodeShardsAnswer(encodeShardsAnswer({ ...example, left }))).toThrow(
      expect.objectContaining({ code: 'MYNAH_MESSAGE_INVALID' }),
    )
})
