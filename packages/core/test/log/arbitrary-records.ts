import fc from 'fast-check'
import { toHex } from '../../src/bytes/hex.js'
import { bodyHash, deriveRev } from '../../src/document/revision.js'
import type { LogRecord, Sequenced } from '../../src/log/record.js'
import { arbitraryFields } from '../codec/arbitrary-value.js'

const hexOf = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => toHex(new Uint8Array(array)))
const origins = fc.oneof(fc.constant('00112233445566778899aabbccddeeff'), hexOf(16))
const foreignDigests = fc.oneof(hexOf(16), fc.stringMatching(/^[0-9A-Za-z]{1,20}$/))
const generations = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(0xffff_ffff, 0xffff_fffe))

/** Paths whose generations need not be dense: a child of the highest keeps it, and compaction may leave gaps. */
const paths = fc
  .array(fc.tuple(generations, foreignDigests), { maxLength: 4 })
  .map((steps) => steps.sort((a, b) => b[0] - a[0]).map(([generation, digest]) => `${generation}-${digest}`))

const heads = fc.record(
  {
    id: fc.oneof(
      fc.uuid({ version: 7 }),
      fc.nat(5000).map((n) => `sensor-${n}/x`),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    ),
    path: paths,
    deleted: fc.boolean(),
    at: fc.oneof(
      fc.integer({ min: 1_795_000_000_000, max: 1_795_000_100_000 }),
      fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    ),
    origin: origins,
    supplies: fc.boolean(),
    continues: fc.boolean(),
  },
  { noNullPrototype: true },
)

const bodies = fc.oneof(
  { weight: 4, arbitrary: arbitraryFields },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((array) => new Uint8Array(array)) },
)

const native = fc.tuple(heads, bodies).map(
  ([head, body]): LogRecord => ({
    kind: 'revision',
    ...head,
    rev: deriveRev(head.path[0], head.deleted, body),
    body,
  }),
)
const foreign = fc.tuple(heads, bodies, generations, foreignDigests).map(
  ([head, body, generation, digest]): LogRecord => ({
    kind: 'revision',
    ...head,
    rev: `${generation}-${digest}`,
    bodyHash: new Uint8Array(bodyHash(head.deleted, body)),
    body,
  }),
)
const stubs = fc.tuple(heads, generations, hexOf(16)).map(
  ([head, generation, digest]): LogRecord => ({
    kind: 'stub',
    ...head,
    rev: `${generation}-${digest}`,
  }),
)
const foreignStubs = fc.tuple(heads, generations, foreignDigests, hexOf(32)).map(
  ([head, generation, digest, hash]): LogRecord => ({
    kind: 'stub',
    ...head,
    rev: `${generation}-${digest}`,
    bodyHash: Uint8Array.from(hash.match(/../g)!, (byte) => Number.parseInt(byte, 16)),
  }),
)

const records = fc.oneof(
  fc.array(native, { maxLength: 40 }),
  fc.array(fc.oneof(native, foreign, stubs, foreignStubs), { maxLength: 40 }),
)

/** Records of all sorts, with their places: dense, or with gaps as compaction leaves them. */
export const arbitrarySequenced: fc.Arbitrary<{ firstSeq: number; records: Sequenced[] }> = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), records, fc.boolean(), fc.infiniteStream(fc.nat(20)))
  .map(([firstSeq, list, dense, gaps]) => {
    let next = firstSeq
    return {
      firstSeq,
      records: list.map((record) => {
        const seq = next + (dense ? 0 : gaps.next().value)
        next = seq + 1
        return { seq, record }
      }),
    }
  })

/** A record as a plain object, its lazy parts read. */
export function plain(record: LogRecord): LogRecord {
  return { ...record }
}
