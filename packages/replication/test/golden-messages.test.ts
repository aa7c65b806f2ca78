import { readFileSync } from 'node:fs'
import { nodeEnv } from '@mynah/core'
import { decodeRecords } from '@mynah/core/replica'
import {
  decodeAskedRanges,
  decodeError,
  decodeFetch,
  decodeHeld,
  decodeInfo,
  decodeLeaves,
  decodeLiveLine,
  decodeMissing,
  decodeOwed,
  decodePushAnswer,
  decodeShardsAnswer,
  decodeToldRanges,
  encodeAskedRanges,
  encodeError,
  encodeFetch,
  encodeHeld,
  encodeInfo,
  encodeLeaves,
  encodeLiveLine,
  encodeMissing,
  encodeOwed,
  encodePushAnswer,
  encodeShardsAnswer,
  encodeToldRanges,
} from '@mynah/replication/protocol'
import { describe, expect, test } from 'vitest'
import { fromHex, hexOf, utf8 } from '../src/compliance/byte-list.js'
import { pack, unpack } from '../src/compliance/msgpack.js'
import { answerChecksum, requestChecksum } from '../src/protocol/checksum.js'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const golden = JSON.parse(read('fixtures/protocol-1.json')) as Readonly<Record<string, string>>
const page = read('../../../docs/protocol.md')

const incarnation = '000102030405060708090a0b0c0d0e0f'
const position = { incarnation, seq: 7 }
const bytes = (value: number, length: number) => new Uint8Array(length).fill(value)
const leaves = [
  { id: 'a', rev: '1-b' },
  { id: 'c', rev: '2-d', bodyHash: bytes(1, 32) },
]
const named = {
  name: 'sensors',
  id: '5d1c0f0e6f5f4f0c8a3a6f9d8a7b6c5d',
  mode: 'mirror',
  protocol: 1,
  position,
} as const
const limits = { requestBytes: 16_777_216, batchRecords: 4_096 }
const plain = { ...named, documents: 5, owes: 0, limits }
const info = { ...plain, mirrors: ['https://second.example/v1/sensors'], holds: [true, false] }
const limited = { ...named, prefixes: ['site-4/'], owes: 0, limits }
const all = [{ from: '', to: undefined, sum: { count: 3, print: bytes(1, 16) } }]
const text = (decode: (text: string) => unknown) => (bytes: Uint8Array) =>
  decode(new TextDecoder().decode(bytes))

interface Message {
  readonly value: unknown
  readonly encoded: Uint8Array | string
  readonly decode: (bytes: Uint8Array) => unknown
}

const told = (kind: 'same' | 'parts' | 'ids') => {
  const kinds = {
    same: { kind: 'same' },
    parts: {
      kind: 'parts',
      parts: [
        { from: '', count: 2, print: bytes(2, 16) },
        { from: 'b', count: 1, print: bytes(3, 16) },
      ],
    },
    ids: {
      kind: 'ids',
      ids: [
        { id: 'site/1', print: bytes(4, 16) },
        { id: 'site/ü', print: bytes(5, 16) },
      ],
    },
  } as const
  return { ranges: [kinds[kind]], owed: 0 }
}

const answer = { position, before: 6, taken: 1 }
const refusal = [{ index: 0, code: 'X', reason: 'Y' }]
const held = { id: incarnation, mode: 'mirror', held: [true, false] } as const
const items = [{ id: 'a' }, { id: 'a', rev: '1-b' }]
const message = (value: unknown, encoded: Uint8Array | string, decode: Message['decode']): Message => ({
  value,
  encoded,
  decode,
})
const ranges = (kind: 'same' | 'parts' | 'ids') =>
  message(told(kind), encodeToldRanges(told(kind)), (bytes) => decodeToldRanges(bytes, all))

/** Each message of the protocol, by the name of its bytes. */
const messages: Readonly<Record<string, Message>> = {
  info: message(info, encodeInfo(info), text(decodeInfo)),
  'info without more': message(plain, encodeInfo(plain), text(decodeInfo)),
  'info within prefixes': message(limited, encodeInfo(limited), text(decodeInfo)),
  'push answer': message(
    { ...answer, exceptions: refusal },
    encodePushAnswer({ ...answer, exceptions: refusal }),
    decodePushAnswer,
  ),
  'push answer without exceptions': message(
    { ...answer, exceptions: [] },
    encodePushAnswer({ ...answer, exceptions: [] }),
    decodePushAnswer,
  ),
  'shards answer': message(
    { ...answer, left: [1, 2] },
    encodeShardsAnswer({ ...answer, left: [1, 2] }),
    decodeShardsAnswer,
  ),
  leaves: message(leaves, encodeLeaves(leaves), (bytes) => decodeLeaves(bytes)),
  'missing answer': message([true, false], encodeMissing([true, false]), (bytes) => decodeMissing(bytes, 2)),
  'held answer': message(held, encodeHeld(held), (bytes) => decodeHeld(bytes, 2)),
  fetch: message(items, encodeFetch(items), decodeFetch),
  ranges: message(all, encodeAskedRanges(all), decodeAskedRanges),
  'ranges answer: the same': ranges('same'),
  'ranges answer: parts': ranges('parts'),
  'ranges answer: ids': ranges('ids'),
  'owed answer': message({ leaves, next: 'c' }, encodeOwed({ leaves, next: 'c' }), decodeOwed),
  'owed answer: the last': message({ leaves: [] }, encodeOwed({ leaves: [] }), decodeOwed),
  'live line': message(
    position,
    encodeLiveLine(position),
    text((line) => decodeLiveLine(line.trimEnd())),
  ),
  error: message(
    { code: 'MYNAH_CURSOR_LOST', message: 'gone' },
    encodeError({ code: 'MYNAH_CURSOR_LOST', message: 'gone' }),
    text(decodeError),
  ),
}

test('each message has golden bytes', () => {
  expect(Object.keys(golden).sort()).toEqual([...Object.keys(messages), 'push'].sort())
})

describe('golden bytes', () => {
  test.each(Object.entries(messages))('of: %s', (name, { value, encoded, decode }) => {
    const [first, second] = [golden[name]!, typeof encoded === 'string' ? utf8(encoded) : encoded]
    expect(hexOf(second)).toBe(first)
    expect(decode(fromHex(first))).toEqual(value)
    // The second implementation reads and writes the same.
    if (typeof encoded !== 'string') expect(hexOf(pack(unpack(fromHex(first))))).toBe(first)
  })
})

/** A dump of the page as what bytes have to match: hex, "text", and … for more of the same; what follows ; is said of them. */
function patternOf(dump: string): RegExp {
  const parts = dump.split('\n').flatMap((line) => line.replace(/;.*/, '').trim().split(/\s+/))
  const hex = parts.map((part) => {
    if (!part.startsWith('"')) return part.replace('…', '[0-9a-f]*')
    const [from = '', to = ''] = part.slice(1, -1).split('…')
    return `${hexOf(utf8(from))}${part.includes('…') ? '[0-9a-f]*' : ''}${hexOf(utf8(to))}`
  })
  return new RegExp(`^${hex.join('')}$`)
}

const examples = page.slice(page.indexOf('## Examples'), page.indexOf('## Check a mirror'))

test('each dump of the page is one of the golden messages', () => {
  const dumps = [...examples.matchAll(/```\n([0-9a-f]{2}[\s\S]*?)```/g)].map(([, dump]) => dump!)
  expect(dumps.length).toBeGreaterThanOrEqual(8)
  for (const dump of dumps) {
    const matching = Object.keys(golden).filter((name) => patternOf(dump).test(golden[name]!))
    expect(matching, dump).toHaveLength(1)
  }
})

test('each text of the page is one of the golden messages', () => {
  const texts = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json!)
  expect(texts.length).toBeGreaterThanOrEqual(3)
  const known = Object.values(golden).map((hex) => new TextDecoder().decode(fromHex(hex)).trimEnd())
  for (const json of texts) expect(known).toContain(JSON.stringify(JSON.parse(json)))
})

test('the exchange of the page is as it says', async () => {
  const [asked, told] = [...examples.matchAll(/mynah-checksum: ([0-9a-f]{8})/g)].map(([, sum]) => sum)
  const shard = fromHex(golden.push!)
  const [record] = await decodeRecords(shard, nodeEnv)
  expect(record).toMatchObject({ id: 'a', body: { n: 5, t: 21.5 } })
  expect(examples).toContain(`mynah-database: ${record!.origin}\n`)
  const lengths = [...examples.matchAll(/content-length: (\d+)/g)].map(([, length]) => Number(length))
  const body = fromHex(golden['push answer without exceptions']!)
  expect(lengths).toEqual([shard.length, body.length])
  const question = { method: 'POST', database: 'sensors', subpath: '/records', query: {} } as const
  expect(requestChecksum(question, shard)).toBe(asked)
  expect(answerChecksum(asked!, {}, body)).toBe(told)
})
