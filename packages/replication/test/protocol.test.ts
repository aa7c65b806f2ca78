import { readFileSync } from 'node:fs'
import { MynahError } from '@mynah/core'
import {
  decodeError,
  decodeFetch,
  decodeHeld,
  decodeInfo,
  decodeLeaves,
  decodeLiveLine,
  decodeMissing,
  decodePushAnswer,
  encodeError,
  encodeFetch,
  encodeHeld,
  encodeInfo,
  encodeLeaves,
  encodeLiveLine,
  encodeMissing,
  encodePushAnswer,
  isDatabaseName,
  MessageInvalidError,
  parsePosition,
  positionText,
  wireLimits,
} from '@mynah/replication/protocol'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import type { MirrorState } from '../src/mirror/mirror.js'

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const hexText = (text: string) => hex(new TextEncoder().encode(text))
const bytesOf = (text: string) =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

const id32 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hex)
const position = fc.record({ incarnation: id32, seq: fc.maxSafeNat() })
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
const leaf = fc.record(
  { id: name, rev: name, bodyHash: fc.uint8Array({ minLength: 32, maxLength: 32 }) },
  { requiredKeys: ['id', 'rev'] },
)
const answer = fc.record({
  position,
  before: fc.maxSafeNat(),
  taken: fc.nat(),
  exceptions: fc.array(fc.record({ index: fc.nat(4_000), code: fc.string(), reason: fc.string() })),
})

describe('a message comes back as it was sent', () => {
  test('position text', () => {
    fc.assert(
      fc.property(position, (sent) => {
        expect(parsePosition(positionText(sent))).toEqual(sent)
      }),
    )
  })
  test('questions for missing leaves and their answers', () => {
    fc.assert(
      fc.property(fc.array(leaf), fc.array(fc.boolean()), (leaves, missing) => {
        expect(decodeLeaves(encodeLeaves(leaves))).toEqual(leaves)
        expect(decodeMissing(encodeMissing(missing), missing.length)).toEqual(missing)
        for (const mode of ['peer', 'mirror'] as const) {
          const sent = { id: '0f'.repeat(16), mode, held: missing }
          expect(decodeHeld(encodeHeld(sent), missing.length)).toEqual(sent)
          expect(() => decodeHeld(encodeHeld(sent), missing.length + 1)).toThrow(MessageInvalidError)
        }
      }),
    )
  })
  test('fetches of leaves and of documents', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(leaf, fc.record({ id: name }))), (items) => {
        expect(decodeFetch(encodeFetch(items))).toEqual(items)
      }),
    )
  })
  test('push answers', () => {
    fc.assert(
      fc.property(answer, (sent) => {
        expect(decodePushAnswer(encodePushAnswer(sent))).toEqual(sent)
      }),
    )
  })
  test('infos, live lines and errors', () => {
    fc.assert(
      fc.property(position, id32, fc.array(fc.boolean(), { maxLength: 16 }), (at, id, holds) => {
        const info = {
          name: 'sensors',
          id,
          mode: 'mirror',
          protocol: 1,
          position: at,
          documents: 3,
          limits: { requestBytes: 1, batchRecords: 2 },
          holds,
        } as const
        expect(decodeInfo(encodeInfo(info))).toEqual(info)
        expect(decodeLiveLine(encodeLiveLine(at).trimEnd())).toEqual(at)
      }),
    )
    expect(decodeLiveLine('')).toBeUndefined()
    const error = { code: 'MYNAH_BUSY', message: 'later' }
    expect(decodeError(encodeError(error))).toEqual(error)
  })
})

test('the bytes of messages are those of the protocol page', () => {
  const position = { incarnation: '000102030405060708090a0b0c0d0e0f', seq: 7 }
  const leaves = [
    { id: 'a', rev: '1-b' },
    { id: 'c', rev: '2-d', bodyHash: new Uint8Array(32).fill(1) },
  ]
  expect(hex(encodeLeaves(leaves))).toBe(`9292a161a3312d6293a163a3322d64c420${'01'.repeat(32)}`)
  expect(hex(encodeFetch([{ id: 'a' }, { id: 'a', rev: '1-b' }]))).toBe('9291a16192a161a3312d62')
  expect(hex(encodeMissing([true, false]))).toBe('92c3c2')
  const held = { id: position.incarnation, mode: 'mirror', held: [true, false] } as const
  expect(hex(encodeHeld(held))).toBe(
    `83a2${hexText('id')}d920${hexText(held.id)}a4${hexText('mode')}a6${hexText('mirror')}a4${hexText('held')}92c3c2`,
  )
  const answer = { position, before: 6, taken: 1, exceptions: [{ index: 0, code: 'X', reason: 'Y' }] }
  expect(hex(encodePushAnswer(answer))).toBe(
    [
      `84a8${hexText('position')}d922${hexText('000102030405060708090a0b0c0d0e0f.7')}`,
      `a6${hexText('before')}06a5${hexText('taken')}01`,
      `aa${hexText('exceptions')}919300a158a159`,
    ].join(''),
  )
})

test('the page of the protocol tells the limits', () => {
  const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, Number(value)])
  expect(Object.fromEntries(rows)).toEqual(wireLimits)
})

test('the page of the protocol says what each event does in each state', () => {
  const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
  const states: readonly MirrorState[] = ['waiting', 'backing-off', 'connecting', 'catching-up', 'live']
  const rows = page.slice(page.indexOf('| event |')).split('\n\n', 1)[0]!.split('\n')
  const cells = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  expect(cells[0]).toEqual(['event', ...states])
  expect(cells.length).toBeGreaterThan(30)
  for (const row of cells) expect([row.length, row.every((cell) => cell !== '')], row[0]).toEqual([6, true])
})

describe('hostile messages end in MessageInvalidError', () => {
  const decoders: readonly ((bytes: Uint8Array) => unknown)[] = [
    decodeLeaves,
    decodeFetch,
    decodePushAnswer,
    (bytes) => decodeMissing(bytes, 3),
    (bytes) => decodeHeld(bytes, 3),
    (bytes) => decodeInfo(new TextDecoder().decode(bytes)),
    (bytes) => decodeLiveLine(`x${new TextDecoder().decode(bytes)}`),
    (bytes) => decodeError(new TextDecoder().decode(bytes)),
  ]
  const fails = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean => {
    try {
      decode(bytes)
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(MynahError)
      expect(error).toBeInstanceOf(MessageInvalidError)
      return true
    }
  }

  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of decoders) fails(decode, bytes)
      }),
      { numRuns: 500 },
    )
  })
  test('truncated and flipped messages', () => {
    fc.assert(
      fc.property(answer, fc.nat(), fc.nat(7), (sent, at, bit) => {
        const whole = encodePushAnswer(sent)
        expect(fails(decodePushAnswer, whole.subarray(0, at % whole.length))).toBe(true)
        const flipped = Uint8Array.from(whole)
        flipped[at % whole.length]! ^= 1 << bit
        fails(decodePushAnswer, flipped)
      }),
    )
  })
  test('declared lengths past the end, depth, extensions and foreign types', () => {
    const packed = (value: unknown) => new Uint8Array(new Packr({ structuredClone: true }).pack(value))
    const hostile: readonly Uint8Array[] = [
      bytesOf('ddffffffff'),
      bytesOf('c6ffffffff'),
      bytesOf('dbffffffff'),
      bytesOf('dfffffffff'),
      new Uint8Array(1_000_000).fill(0x91),
      packed(new Set([1])),
      packed([new Date(0)]),
      packed([/x/]),
      packed([new Error('x')]),
      packed([[new Map()]]),
      packed([['id', 'rev', 'hash', 'more']]),
      packed([['id', 'rev', new Uint8Array(31)]]),
      packed([['id', 1]]),
      packed([[]]),
      packed({ position: 'x', before: 0, taken: 0, exceptions: [] }),
    ]
    for (const bytes of hostile) for (const decode of decoders) expect(fails(decode, bytes)).toBe(true)
  })
  test('more entries than the limit', () => {
    const leaves = Array.from({ length: wireLimits.missingLeaves + 1 }, () => ({ id: 'a', rev: '1-b' }))
    expect(fails(decodeLeaves, encodeLeaves(leaves))).toBe(true)
    expect(fails(decodeFetch, encodeFetch(leaves))).toBe(true)
    const few = leaves.slice(0, wireLimits.heldLeaves + 1)
    expect(fails((bytes) => decodeLeaves(bytes, wireLimits.heldLeaves), encodeLeaves(few))).toBe(true)
  })
  test('a mirror of another protocol', () => {
    const info = '{"name":"a","protocol":2}'
    expect(() => decodeInfo(info)).toThrow(MessageInvalidError)
  })
  test('text that is no position', () => {
    const zeros = '0'.repeat(32)
    const wrong = [
      '',
      zeros,
      `${zeros}.`,
      `${zeros}.-1`,
      `${zeros}.01`,
      `${zeros}.1e3`,
      `${'A'.repeat(32)}.1`,
    ]
    for (const text of [...wrong, `${zeros}.9999999999999999`]) expect(parsePosition(text)).toBeUndefined()
  })
})

test('names of databases', () => {
  for (const good of ['a', '0', 'sensors', 'a_.-b', 'a'.repeat(128)]) expect(isDatabaseName(good)).toBe(true)
  for (const bad of ['', '.a', '-a', 'A', 'a/b', 'a b', 'ä', 'a\n', 'a'.repeat(129)]) {
    expect(isDatabaseName(bad)).toBe(false)
  }
})
