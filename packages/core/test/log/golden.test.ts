import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/bytes/byte-writer.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { decodeGroupHeader, encodeGroup, GROUP_HEADER_BYTES } from '../../src/log/group.js'
import { encodeHotHeader, HOT_HEADER_BYTES, readHotFile } from '../../src/log/hot-file.js'
import { decodeManifest, encodeManifest } from '../../src/log/manifest-format.js'
import { encodeFooter, encodeSegmentHeader, FRAME_HEADER_BYTES, writeFrame } from '../../src/log/segment.js'
import { readSegment } from '../../src/log/segment-reader.js'
import { readShard } from '../../src/log/shard-cache.js'
import { memoryStorage } from '../../src/storage/memory-storage.js'
import { DATABASE, record, summary } from './support.js'

async function golden(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(`fixtures/${name}`, import.meta.url)))
}

test('the golden manifest is read, and written as it stands', async () => {
  const bytes = await golden('manifest')
  expect(encodeManifest(decodeManifest('manifest', bytes)!)).toEqual(bytes)
})

test('the golden hot file is read, and written as it stands', async () => {
  const bytes = await golden('hot')
  const { header, groups, synced, suspects } = readHotFile('hot-4', bytes)
  expect(header).toMatchObject({ database: DATABASE, firstSeq: 4, predecessor: { number: 3, length: 202 } })
  expect(suspects).toEqual([])
  expect(synced).toBe(6)
  expect(groups.map(({ firstSeq, records }) => [firstSeq, ...records.map(summary)])).toEqual([
    [4, summary(record(4))],
    [5, summary(record(5)), summary(record(6))],
    [7],
  ])
  const again = new ByteWriter()
  again.raw(encodeHotHeader(header!).bytes)
  for (let offset = HOT_HEADER_BYTES; offset < bytes.length; ) {
    const group = decodeGroupHeader(bytes, offset, header!.salt)!
    const start = offset + GROUP_HEADER_BYTES
    const payload = bytes.subarray(start, start + group.payloadBytes)
    again.raw(encodeGroup({ ...group, salt: header!.salt, payload }).bytes)
    offset = start + payload.length
  }
  expect(again.finish()).toEqual(bytes)
})

test('the golden segment is read, and written as it stands', async () => {
  const bytes = await golden('segment')
  const storage = memoryStorage()
  await storage.append('segment-2', 0, bytes)
  const file = { name: 'segment-2', length: bytes.length }
  const { salt, frames, findings } = await readSegment(storage, file, { closed: true, database: DATABASE })
  expect(findings).toEqual([])
  expect(frames).toMatchObject([
    { offset: 36, firstSeq: 1, span: 2, count: 2 },
    { firstSeq: 3, span: 1, count: 1 },
  ])
  const found: string[] = []
  const again = new ByteWriter()
  again.raw(encodeSegmentHeader({ database: DATABASE, salt: salt! }))
  for (const frame of frames) {
    const { block } = await readShard(storage, { ...frame, segment: 'segment-2' }, nodeEnv)
    for (let index = 0; index < block.count; index++) found.push(summary(block.record(index)))
    const start = frame.offset + FRAME_HEADER_BYTES
    writeFrame(again, salt!, frame, bytes.subarray(start, start + frame.length))
  }
  expect(found).toEqual([1, 2, 3].map((n) => summary(record(n))))
  // What a crash left behind the last frame stays where it is.
  again.raw(bytes.subarray(again.length, again.length + 5))
  again.raw(encodeFooter(salt!, again.length, frames))
  expect(again.finish()).toEqual(bytes)
})
