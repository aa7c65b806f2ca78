import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedBytes } from '../../src/bytes/byte-reader.js'
import { ByteWriter } from '../../src/bytes/byte-writer.js'
import { toHex } from '../../src/bytes/hex.js'
import type { Leaf } from '../../src/document/tree.js'
import { decodeEntry, decodeHistory, type Entry, writeEntry, writeHistory } from '../../src/index/entry.js'

function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter()
  writeEntry(writer, entry)
  return writer.finish()
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const native = bytes(16).map(toHex)
const foreign = fc.stringMatching(/^[0-9A-Za-z]{1,128}$/)
const rev = fc
  .tuple(fc.integer({ min: 1, max: 0xffff_ffff }), fc.oneof(native, foreign))
  .map(([generation, digest]) => `${generation}-${digest}`)
const seq = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const leaf: fc.Arbitrary<Leaf> = fc
  .record(
    {
      rev,
      deleted: fc.boolean(),
      seq,
      body: fc.constantFrom('here', 'elsewhere', 'nowhere'),
      bodyHash: bytes(32),
      parent: rev,
    },
    { requiredKeys: ['rev', 'deleted', 'seq', 'body'] },
  )
  .map(({ body, ...rest }) => ({
    ...rest,
    bodySeq: body === 'here' ? rest.seq : body === 'elsewhere' ? Math.max(1, rest.seq - 1) : 0,
  }))
const entry = fc.record({ leaves: fc.array(leaf, { maxLength: 5 }) })

test('an entry comes back from its bytes', () => {
  fc.assert(
    fc.property(entry, (given) => {
      expect(decodeEntry(encodeEntry(given))).toEqual(given)
    }),
  )
})

test('a history row comes back from its bytes', () => {
  fc.assert(
    fc.property(rev, seq, (given, bodySeq) => {
      const old = { rev: given, bodySeq }
      for (const row of [old, { ...old, until: bodySeq }]) {
        const writer = new ByteWriter()
        writeHistory(writer, row)
        expect(decodeHistory(writer.finish())).toEqual(row)
      }
    }),
  )
})

test('a single leaf of a new document takes 22 bytes at most for the first two million seqs', () => {
  const single = { rev: `1-${'0f'.repeat(16)}`, deleted: false, seq: 2_000_000, bodySeq: 2_000_000 }
  expect(encodeEntry({ leaves: [single] }).length).toBeLessThanOrEqual(22)
})

test('a parent one generation below takes 16 bytes, and is read in its longer form too', () => {
  const parent = `1-${'ab'.repeat(16)}`
  const only = { rev: `2-${'0f'.repeat(16)}`, deleted: false, seq: 5, bodySeq: 5, parent }
  const short = Uint8Array.of(1, 64, 2, ...new Array(16).fill(0x0f), 5, ...new Array(16).fill(0xab))
  const long = Uint8Array.of(1, 32, 2, ...short.subarray(3, 20), 0, 1, ...short.subarray(20))
  expect(encodeEntry({ leaves: [only] })).toEqual(short)
  for (const written of [short, long]) expect(decodeEntry(written)).toEqual({ leaves: [only] })
  // Both forms at once, and a parent below the first generation.
  for (const [at, byte] of [
    [1, 96],
    [2, 1],
  ] as const) {
    const damaged = short.slice()
    damaged[at] = byte
    expect(() => decodeEntry(damaged)).toThrow(MalformedBytes)
  }
})

test('damaged bytes end in MalformedBytes or in some other entry, never in another error', () => {
  fc.assert(
    fc.property(entry, fc.nat(), fc.nat({ max: 255 }), (given, at, byte) => {
      const encoded = encodeEntry(given)
      encoded[at % encoded.length] = byte
      for (const damaged of [encoded, encoded.subarray(0, at % encoded.length)]) {
        try {
          decodeEntry(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
        }
      }
    }),
  )
})
