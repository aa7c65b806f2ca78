import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeShards, encodeShards } from '../src/protocol/shards.js'

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
