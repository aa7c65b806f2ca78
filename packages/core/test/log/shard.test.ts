import { deepStrictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32 } from '../../src/bytes/hash.js'
import { compress } from '../../src/codec/lzma.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { FormatUnknownError, ShardCorruptError } from '../../src/errors.js'
import { encodeBlock } from '../../src/log/block.js'
import type { Sequenced } from '../../src/log/record.js'
import { decodeShard, encodeShard, readShardHeader, shardHeaderBytes } from '../../src/log/shard.js'
import { arbitrarySequenced, plain } from './arbitrary-records.js'
import { goldenRecords } from './golden-records.js'
import { readings } from './readings.js'

const spanOf = (records: readonly Sequenced[], firstSeq: number) =>
  (records.at(-1)?.seq ?? firstSeq - 1) - firstSeq + 1

test('any records come back through a shard, of either effort', async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitrarySequenced,
      fc.constantFrom('fast' as const, 'best' as const),
      async ({ firstSeq, records }, effort) => {
        const span = spanOf(records, firstSeq) + 3
        const bytes = await encodeShard(records, firstSeq, span, { env: nodeEnv, effort })
        const shard = await decodeShard(bytes, firstSeq, nodeEnv)
        expect(shard).toMatchObject({ span, count: records.length })
        expect(readShardHeader(bytes)).toMatchObject({
          span,
          count: records.length,
          rawBytes: shard.rawBytes,
          storedBytes: bytes.length - shardHeaderBytes,
        })
        for (const [i, { seq, record }] of records.entries()) {
          expect(shard.block.offsetAt(i)).toBe(seq - firstSeq)
          deepStrictEqual(plain(shard.block.record(i)), record)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a shard holds no seq, so that it reads the same wherever it lies', async () => {
  const records = readings(3, 50, 'path')
  const moved = records.map(({ seq, record }) => ({ seq: seq + 1_000_000, record }))
  const here = await encodeShard(records, 1, 50, { env: nodeEnv, effort: 'fast' })
  expect(await encodeShard(moved, 1_000_001, 50, { env: nodeEnv, effort: 'fast' })).toStrictEqual(here)
})

test('what LZMA cannot shrink is stored as it is', async () => {
  const [one] = readings(3, 1, 'uuid')
  expect(readShardHeader(await encodeShard([one!], 1, 1, { env: nodeEnv, effort: 'best' })).codec).toBe(
    'none',
  )
})

test('seqs outside the span are refused', async () => {
  const records = readings(3, 5, 'uuid')
  await expect(encodeShard(records, 1, 4, { env: nodeEnv, effort: 'fast' })).rejects.toThrow(RangeError)
  await expect(encodeShard(records, 2, 9, { env: nodeEnv, effort: 'fast' })).rejects.toThrow(RangeError)
  await expect(encodeShard([], 1, 2 ** 32, { env: nodeEnv, effort: 'fast' })).rejects.toThrow(RangeError)
})

describe('size of 64 KiB of readings, ids and all', () => {
  test.each([
    ['uuid', 340, 22],
    ['path', 340, 12],
  ] as const)('%s ids: %i readings of 215 bytes of JSON in %i bytes each', async (ids, count, most) => {
    for (const seed of [1, 2, 3]) {
      const records = readings(seed, count, ids)
      for (const effort of ['fast', 'best'] as const)
        expect((await encodeShard(records, 1, count, { env: nodeEnv, effort })).length / count).toBeLessThan(
          most,
        )
    }
  })
})

describe('hostile bytes', () => {
  async function read(bytes: Uint8Array): Promise<unknown> {
    try {
      const { block } = await decodeShard(bytes, 7, nodeEnv)
      for (let i = 0; i < block.count; i++) plain(block.record(i))
      return undefined
    } catch (error) {
      return error
    }
  }

  /** Makes the checksums right again, as a forger would. */
  function sign(bytes: Uint8Array): Uint8Array {
    const view = new DataView(bytes.buffer)
    view.setUint32(24, crc32(bytes.subarray(shardHeaderBytes)))
    view.setUint32(28, crc32(bytes.subarray(0, 28)))
    return bytes
  }

  test('cut anywhere, or with something after it', async () => {
    const bytes = await encodeShard(readings(5, 20, 'path'), 1, 20, { env: nodeEnv, effort: 'best' })
    for (let length = 0; length < bytes.length; length++)
      expect(await read(bytes.subarray(0, length))).toBeInstanceOf(ShardCorruptError)
    expect(await read(new Uint8Array([...bytes, 0]))).toBeInstanceOf(ShardCorruptError)
  })

  test('a bit flipped anywhere is found', async () => {
    const bytes = await encodeShard(readings(5, 20, 'path'), 1, 20, { env: nodeEnv, effort: 'best' })
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const error = await read(flipped)
      expect(error).toBeInstanceOf(ShardCorruptError)
      expect(error).toMatchObject({ code: 'MYNAH_SHARD_CORRUPT', firstSeq: 7 })
    }
  })

  test('forged with right checksums, it is records or ShardCorruptError', async () => {
    const bytes = await encodeShard(goldenRecords, 1, 200, { env: nodeEnv, effort: 'best' })
    const plainShard = new Uint8Array(shardHeaderBytes + encodeBlock(goldenRecords, 1).length)
    plainShard.set(bytes.subarray(0, shardHeaderBytes))
    plainShard.set(encodeBlock(goldenRecords, 1), shardHeaderBytes)
    plainShard[5] = 0
    new DataView(plainShard.buffer).setUint32(16, plainShard.length - shardHeaderBytes)
    expect(await read(sign(plainShard))).toBeUndefined()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(bytes, plainShard),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (shard, changes) => {
          const forged = shard.slice()
          for (const [at, byte] of changes) forged[8 + (at % (forged.length - 8))] = byte
          const error = await read(sign(forged))
          if (error !== undefined) expect(error).toBeInstanceOf(ShardCorruptError)
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each<[string, number, number]>([
    ['a span below the count', 8, 1],
    ['more records than a block may have', 12, 65_537],
    ['more records than there are', 12, 21],
    ['fewer records than there are', 12, 19],
    ['more stored bytes than raw ones', 16, 0xffff_ffff],
    ['more raw bytes than the limit', 20, 0xffff_ffff],
    ['fewer raw bytes than there are', 20, 700],
    ['the span cut short', 8, 20],
    ['reserved bits and another codec', 4, 0x01020000],
    ['reserved bits', 4, 0x01010001],
  ])('%s', async (_, offset, value) => {
    const records = readings(5, 20, 'path').map(({ seq, record }) => ({ seq: seq + 5, record }))
    const bytes = await encodeShard(records, 1, 30, { env: nodeEnv, effort: 'best' })
    new DataView(bytes.buffer).setUint32(offset, value)
    expect(await read(sign(bytes))).toBeInstanceOf(ShardCorruptError)
  })

  test('a newer version is no damage', async () => {
    const bytes = await encodeShard(readings(5, 2, 'path'), 1, 2, { env: nodeEnv, effort: 'fast' })
    bytes[4] = 2
    expect(await read(sign(bytes))).toBeInstanceOf(FormatUnknownError)
    bytes[4] = 0
    expect(await read(sign(bytes))).toBeInstanceOf(ShardCorruptError)
  })

  test('a bomb is found by its declared length', async () => {
    const bomb = await compress(new Uint8Array(32 * 1024 * 1024), { effort: 'fast' })
    const bytes = new Uint8Array(shardHeaderBytes + bomb.length)
    bytes.set((await encodeShard([], 1, 0, { env: nodeEnv, effort: 'fast' })).subarray(0, shardHeaderBytes))
    bytes.set(bomb, shardHeaderBytes)
    bytes[5] = 1
    new DataView(bytes.buffer).setUint32(16, bomb.length)
    new DataView(bytes.buffer).setUint32(20, bomb.length + 1)
    expect(await read(sign(bytes))).toBeInstanceOf(ShardCorruptError)
  })
})

test('golden bytes: a shard of version 1 is read for ever', async () => {
  const bytes = new Uint8Array(readFileSync(new URL('../fixtures/shard-1.bin', import.meta.url)))
  const { span, count, block } = await decodeShard(bytes, 1, nodeEnv)
  expect({ span, count }).toStrictEqual({ span: 200, count: goldenRecords.length })
  for (const [i, { seq, record }] of goldenRecords.entries()) {
    expect(block.indexOf(seq - 1)).toBe(i)
    deepStrictEqual(plain(block.record(i)), record)
  }
})
