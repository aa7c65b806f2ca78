import { deepStrictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { pack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { MalformedBytes } from '../../src/bytes/byte-reader.js'
import { fromHex, toHex } from '../../src/bytes/hex.js'
import type { Value } from '../../src/codec/value.js'
import { deriveRev } from '../../src/document/revision.js'
import { encodeBlock, openBlock } from '../../src/log/block.js'
import type { LogRecord, Sequenced } from '../../src/log/record.js'
import { arbitrarySequenced, plain } from './arbitrary-records.js'
import { goldenRecords } from './golden-records.js'
import { readings } from './readings.js'

const ORIGIN = '00112233445566778899aabbccddeeff'

function native(
  id: string,
  body: { readonly [member: string]: Value },
  path: readonly string[] = [],
): LogRecord {
  return {
    kind: 'revision',
    id,
    rev: deriveRev(path[0], false, body),
    path,
    deleted: false,
    at: 1_795_000_000_000,
    origin: ORIGIN,
    supplies: false,
    continues: false,
    body,
  }
}

const sequence = (records: readonly LogRecord[]): Sequenced[] =>
  records.map((record, i) => ({ seq: 10 + i, record }))

describe('round trip', () => {
  test('any records come back, each read alone and in order', () => {
    fc.assert(
      fc.property(arbitrarySequenced, fc.nat(), ({ firstSeq, records }, place) => {
        const bytes = encodeBlock(records, firstSeq)
        const block = openBlock(bytes)
        expect(block.count).toBe(records.length)
        for (const [i, { seq, record }] of records.entries()) {
          expect(block.offsetAt(i)).toBe(seq - firstSeq)
          expect(block.indexOf(seq - firstSeq)).toBe(i)
          deepStrictEqual(plain(block.record(i)), record)
        }
        if (records.length === 0) return
        const alone = place % records.length
        deepStrictEqual(plain(openBlock(bytes).record(alone)), records[alone]!.record)
      }),
      { numRuns: 300 },
    )
  })

  test('a block that was decoded is encoded to the same bytes', () => {
    fc.assert(
      fc.property(arbitrarySequenced, ({ firstSeq, records }) => {
        const bytes = encodeBlock(records, firstSeq)
        const block = openBlock(bytes)
        const again = records.map(({ seq }, i) => ({ seq, record: block.record(i) }))
        deepStrictEqual(encodeBlock(again, firstSeq), bytes)
      }),
      { numRuns: 50 },
    )
  })

  test('offsets between records, before and after them have no index', () => {
    const block = openBlock(
      encodeBlock(
        [3, 5, 9].map((seq) => ({ seq, record: native('a', {}) })),
        2,
      ),
    )
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 100, -1, 1.5].map((offset) => block.indexOf(offset))).toStrictEqual([
      -1, 0, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1,
    ])
    expect(() => block.record(3)).toThrow(RangeError)
    expect(() => block.offsetAt(-1)).toThrow(RangeError)
  })

  test('lazy parts are own enumerable properties, and only those that the record has', () => {
    const record = openBlock(encodeBlock(sequence([native('a', { x: 1 })]), 10)).record(0)
    expect('bodyHash' in record).toBe(false)
    expect({ ...record, at: 1 }).toStrictEqual({ ...native('a', { x: 1 }), at: 1 })
    expect(record.body).toBe(record.body)
  })

  test('65,536 records with constant members fit a block, and long arrays of one value', () => {
    const body = { a: 1, b: 'same', c: null, d: true, e: [0, 0, 0] }
    const record = native('a', body)
    const records = Array.from({ length: 65_536 }, (_, i) => ({ seq: i + 1, record }))
    const block = openBlock(encodeBlock(records, 1))
    expect(block.record(65_535).body).toStrictEqual(body)
    expect(() => encodeBlock([...records, { seq: 65_537, record }], 1)).toThrow(RangeError)

    const histogram = native('h', { buckets: new Array<Value>(1000).fill(0) })
    const padded = encodeBlock(sequence(new Array<LogRecord>(300).fill(histogram)), 10)
    expect(openBlock(padded).record(299).body).toStrictEqual(histogram.body)
  })

  test('values of a block that was read from a Buffer are plain bytes', () => {
    const bytes = encodeBlock(sequence([native('a', { b: new Uint8Array([1]) })]), 10)
    const body = openBlock(Buffer.from(bytes)).record(0).body as { b: Uint8Array }
    expect(Object.getPrototypeOf(body.b)).toBe(Uint8Array.prototype)
  })
})

describe('what cannot be encoded', () => {
  test.each<[string, Sequenced[], number]>([
    [
      'seqs that fall',
      [
        { seq: 2, record: native('a', {}) },
        { seq: 1, record: native('b', {}) },
      ],
      1,
    ],
    ['seqs before the first', [{ seq: 1, record: native('a', {}) }], 2],
    ['a revision without a body', [{ seq: 1, record: withoutBody(native('a', {})) }], 1],
    ['a time that is no integer', [{ seq: 1, record: { ...native('a', {}), at: 1.5 } }], 1],
    ['an origin that is none', [{ seq: 1, record: { ...native('a', {}), origin: 'me' } }], 1],
  ])('%s', (_, records, firstSeq) => {
    expect(() => encodeBlock(records, firstSeq)).toThrow(RangeError)
  })
})

function withoutBody({ body: _, ...record }: LogRecord): LogRecord {
  return record
}

describe('size', () => {
  test('a block of one record is smaller than its parts in MessagePack', () => {
    for (const { seq, record } of readings(1, 20, 'uuid')) {
      const parts = [record.id, record.at, fromHex(record.origin), 0, record.body]
      expect(encodeBlock([{ seq, record }], seq).length).toBeLessThan(pack(parts).length)
    }
  })

  test('a block of 300 readings takes a seventh of their JSON', () => {
    const records = readings(1, 300, 'uuid')
    const json = records.reduce(
      (sum, { record }) => sum + JSON.stringify({ id: record.id, ...record.body }).length,
      0,
    )
    expect(encodeBlock(records, 1).length).toBeLessThan(json / 7)
  })
})

describe('hostile bytes', () => {
  function read(bytes: Uint8Array): void {
    try {
      const block = openBlock(bytes)
      for (let i = 0; i < Math.min(block.count, 200); i++) {
        block.indexOf(block.offsetAt(i))
        plain(block.record(i))
      }
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
    }
  }

  const whole = encodeBlock(goldenRecords, 1)

  test('cut anywhere', () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => openBlock(whole.subarray(0, length))).toThrow(MalformedBytes)
  })

  test('changed anywhere', () => {
    const few = encodeBlock(goldenRecords.slice(5, 17), 1)
    for (let at = 0; at < few.length; at++) {
      const bytes = few.slice()
      bytes[at]! ^= 1 << (at % 8)
      read(bytes)
    }
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = whole.slice()
          for (const [at, byte] of changes) bytes[at] = byte
          read(bytes)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('nothing but noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => read(new Uint8Array([1, ...noise]))),
      { numRuns: 2000 },
    )
  })

  test('unknown versions, sections, kinds and traits', () => {
    const small = encodeBlock(sequence([native('a', {})]), 10)
    const changed = (at: number, ...bytes: number[]) => {
      const copy = small.slice()
      copy.set(bytes, at)
      return copy
    }
    expect(() => openBlock(changed(0, 2))).toThrow('unknown version 2')
    expect(() => openBlock(changed(2, 0x84, 0xf2))).toThrow(MalformedBytes)
    expect(() => openBlock(new Uint8Array([...small, 1]))).toThrow('something after the block')
    expect(openBlock(new Uint8Array([...small, 0])).count).toBe(1)
    const stub = toHex(encodeBlock(sequence([{ ...withoutBody(native('a', {})), kind: 'stub' }]), 10))
    const traits = (part: string) => openBlock(fromHex(stub.replace('020002', part))).record(0)
    expect(traits('020002').kind).toBe('stub')
    // A part: integers of order 0 and width 0, and their base: 2, 3, 7, 128, 129 and -1.
    for (const part of ['020004', '020006', '02000e', '03008002', '03008202', '020001'])
      expect(() => traits(part)).toThrow('unknown traits')
  })

  test('an error of the caller instead', () => {
    class Mine extends Error {}
    const bytes = whole.slice()
    bytes.fill(0xff, 40)
    expect(() => {
      const block = openBlock(bytes, (cause) => new Mine('mine', { cause }))
      for (let i = 0; i < block.count; i++) plain(block.record(i))
    }).toThrow(Mine)
  })
})

describe('golden bytes', () => {
  const fixture = (name: string) =>
    new Uint8Array(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)))

  test('a block of version 1 is read for ever', () => {
    const block = openBlock(fixture('block-1.bin'))
    expect(block.count).toBe(goldenRecords.length)
    for (const [i, { seq, record }] of goldenRecords.entries()) {
      expect(block.offsetAt(i)).toBe(seq - 1)
      deepStrictEqual(plain(block.record(i)), record)
    }
  })

  test('the example of the format page', () => {
    const page = readFileSync(new URL('../../../../docs/formats/block.md', import.meta.url), 'utf8')
    const hex = [...page.matchAll(/^ {4}((?:[0-9a-f]{2} ?)+)(?: {2}.*)?$/gm)]
      .map((line) => line[1]!.replaceAll(' ', ''))
      .join('')
    const record = native('a', { n: 5, t: 21.5 })
    deepStrictEqual(encodeBlock(sequence([record]), 10), fromHex(hex))
    deepStrictEqual(plain(openBlock(fromHex(hex)).record(0)), record)
  })
})
