import type { Fields, Value } from '../../src/codec/value.js'
import { bodyHash, deriveRev } from '../../src/document/revision.js'
import type { LogRecord, Sequenced } from '../../src/log/record.js'
import { mulberry } from './readings.js'

const ORIGINS = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100']
const random = mulberry(2026)
const digits = (count: number) =>
  Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('')

/** A body whose members meet every layout of a column, and one of another shape now and then. */
function bodyOf(i: number): Fields {
  const body: { [member: string]: Value } = {
    constant: 'the same',
    flag: random() < 0.5,
    count: Math.floor(random() * 1000),
    steady: 1_795_000_000_000 + i * 1000,
    skewed: i % 20 === 7 ? 2 ** 45 + i : i % 3,
    inTurn: 1_000_000 * (i % 4) + i,
    squares: i * i,
    decimal: Math.round(random() * 10_000) / 100,
    double: random() * Math.PI,
    when: new Date(1_795_000_000_000 + i * 60_000),
    far: new Date(i % 2 === 0 ? 8.64e15 : -8.64e15),
    small: BigInt(i) - 5n,
    big: (-1n) ** BigInt(i) * (2n ** 80n + BigInt(i)),
    bytes: new Uint8Array([i % 256, 255, 0]),
    text: `${digits(9)} ünïcödé`,
    url: `https://example.org/things/${digits(6)}x`,
    state: ['ok', 'low', 'fault'][Math.floor(random() * 3)]!,
    pattern: `sensor-${String(i % 7).padStart(4, '0')}/${i}`,
    uuid: `${digits(8)}-${digits(4)}-7${digits(3)}-8${digits(3)}-${digits(12)}`,
    list: [i, [i % 2, 'x'], { a: i }],
    nested: { a: i, b: { c: null, d: [] } },
    mixed: [null, i, `text ${digits(4)}`, { x: i }, true][i % 5]!,
  }
  if (i % 6 === 0)
    Object.defineProperty(body, '__proto__', {
      value: i,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  if (i % 10 === 3) body.rare = { [`key ${i}`]: i }
  return body
}

function recordOf(i: number): LogRecord {
  const body = i % 17 === 16 ? new Uint8Array([1, 2, 3, i]) : bodyOf(i)
  const deleted = i % 13 === 12
  const path =
    i % 4 === 1 ? [`${2 + (i % 9)}-${digits(32)}`, '1-abc'] : i % 4 === 2 ? [`4294967295-${digits(32)}`] : []
  const head = {
    id: i < 70 ? `sensor-${i % 7}/${i}` : `note ${digits(5)}`,
    path,
    deleted,
    at: 1_795_000_000_000 + i * 250 + Math.floor(random() * 20),
    origin: ORIGINS[i % 30 === 5 ? 1 : 0]!,
    supplies: i % 19 === 4,
    continues: i % 23 === 8,
  }
  if (i % 11 === 10) return { kind: 'stub', ...head, rev: `${3 + (i % 5)}-${digits(32)}` }
  if (i % 29 === 9)
    return { kind: 'stub', ...head, rev: `7-${i}Foreign`, bodyHash: new Uint8Array(bodyHash(deleted, body)) }
  if (i % 31 === 7)
    return {
      kind: 'revision',
      ...head,
      rev: `9-${digits(32)}`,
      bodyHash: new Uint8Array(bodyHash(deleted, body)),
      body,
    }
  return { kind: 'revision', ...head, rev: deriveRev(path[0], deleted, body), body }
}

/** The records of the golden block and shard, from seq 1, with gaps. Never changed: new ones get new files. */
export const goldenRecords: readonly Sequenced[] = Array.from({ length: 140 }, (_, i) => ({
  seq: 1 + i + Math.floor(i / 50),
  record: recordOf(i),
}))
