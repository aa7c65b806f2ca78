import { describe, expect, test } from 'vitest'
import type { Fields } from '../../src/codec/value.js'
import { bodyHash, deriveRev } from '../../src/document/revision.js'
import {
  checkRevision,
  conflictsOf,
  type Leaf,
  leafKey,
  planMerge,
  sortLeaves,
  winner,
} from '../../src/document/tree.js'
import { RevisionRefusedError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import type { LogRecord } from '../../src/log/record.js'
import { Replica, revision, stubOf } from './forest.js'

const leaf = (rev: string, more: Partial<Leaf> = {}): Leaf => ({
  rev,
  deleted: false,
  seq: 1,
  bodySeq: 1,
  ...more,
})
const hash = (byte: number) => new Uint8Array(32).fill(byte)

describe('the order of leaves', () => {
  /** From the winner down. */
  const ordered = [
    leaf('10-a'),
    leaf('9-b'),
    leaf('9-a', { bodyHash: hash(2) }),
    leaf('9-a', { bodyHash: hash(1) }),
    leaf('9-a'),
    leaf('9-Z'),
    leaf('99-a', { deleted: true }),
    leaf('2-a', { deleted: true }),
  ]

  test('is live before deleted, then generation, digest and hash, the highest first', () => {
    expect(sortLeaves(ordered.toReversed())).toEqual(ordered)
    expect(winner(ordered.toReversed())).toBe(ordered[0])
    expect(winner([])).toBeUndefined()
  })

  test('gives the conflicts: the live leaves that did not win', () => {
    expect(conflictsOf(ordered.toReversed())).toEqual(ordered.slice(1, 6))
    expect(conflictsOf(ordered.slice(6))).toEqual([])
    expect(conflictsOf(ordered.slice(0, 1))).toEqual([])
  })

  test('tells each leaf from every other by its key', () => {
    expect(new Set(ordered.map(leafKey)).size).toBe(ordered.length)
  })
})

describe('a cut path', () => {
  const chain = ['5-e', '4-d', '3-c', '2-b', '1-a']
  const known = { bodyHash: hash(1), kind: 'stub' } as const
  const at = (index: number, length?: number): LogRecord =>
    revision({ ...known, rev: chain[index]!, path: chain.slice(index + 1, length && index + 1 + length) })

  test('is detached where nothing of it is recorded here, also when the document is unknown', () => {
    const replica = new Replica()
    expect(replica.receive(at(0, 2), false)).toEqual({ result: 'detached' })
    replica.receive(revision({ ...known, rev: '1-z' }), true)
    expect(replica.receive(at(0, 2), false)).toEqual({ result: 'detached' })
    expect(replica.receive(revision({ ...known, rev: '3-y' }), false)).toEqual({ result: 'detached' })
  })

  test('is whole when it goes back to a first generation, or as far as paths go', () => {
    expect(new Replica().receive(at(0), false)).toEqual({ result: 'new', path: chain.slice(1) })
    const longest = Array.from({ length: limits.ancestors }, (_, i) => `${5_000 - i}-x`)
    const far = revision({ ...known, rev: '5001-x', path: longest })
    expect(new Replica().receive(far, false)).toEqual({ result: 'new', path: longest })
  })

  test('attaches to what has a record of its own, not to what a path only names', () => {
    const replica = new Replica()
    replica.receive(at(0), true)
    const branch = (length: number) =>
      revision({ ...known, rev: '5-z', path: ['4-y', ...chain.slice(2)].slice(0, length) })
    expect(replica.receive(branch(2), false)).toEqual({ result: 'detached' })
    expect(replica.receive(branch(4), true)).toEqual({ result: 'new', path: ['4-y', '3-c', '2-b', '1-a'] })
  })

  test('is kept up to the first revision recorded here', () => {
    const replica = new Replica()
    for (const index of [4, 2]) replica.receive(at(index), true)
    replica.receive(at(0), true)
    expect(replica.log.map((record) => record.path)).toEqual([[], ['2-b', '1-a'], ['4-d', '3-c']])
    const branch = revision({ ...known, rev: '5-z', path: ['4-y', '3-c', '2-b', '1-a'] })
    expect(replica.receive(branch, true)).toEqual({ result: 'new', path: ['4-y', '3-c'] })
  })
})

test('a revision that follows several leaves supersedes them all', () => {
  const stub = { kind: 'stub', bodyHash: hash(1) } as const
  const replica = new Replica()
  // Their sources remembered no ancestors, so that nobody here knows that one follows the other.
  for (const rev of ['4-d', '2-b']) replica.receive(revision({ ...stub, rev }), true)
  const incoming = revision({ ...stub, rev: '5-e', path: ['4-d', '3-c', '2-b', '1-a'] })
  expect(replica.receive(incoming, false)).toEqual({ result: 'new', path: ['4-d', '3-c', '2-b'] })
  expect(replica.keys).toEqual([leafKey(incoming)])
})

test('following the newest leaf asks for nothing but the leaves', () => {
  const never = (): boolean => {
    throw new Error('asked')
  }
  const incoming = revision({ kind: 'stub', rev: '3-c', path: ['2-b', '1-a'], bodyHash: hash(1) })
  const plan = planMerge({
    leaves: [leaf('2-b')],
    incoming,
    whole: false,
    isRecorded: never,
    isAncestor: never,
  })
  expect(plan).toEqual({ result: 'new', path: ['2-b'] })
})

describe('a revision from elsewhere', () => {
  const body: Fields = { n: 1 }
  const parent = '1-0123456789abcdef0123456789abcdef'
  const native = (more: Partial<LogRecord> = {}) =>
    revision({ rev: deriveRev(parent, false, body), path: [parent], body, ...more })
  const foreign = (more: Partial<LogRecord> = {}) =>
    revision({ rev: '3-CouchDB', path: ['2-x', '1-y'], body, bodyHash: bodyHash(false, body), ...more })
  const max = limits.generation
  const digest = 'a'.repeat(32)

  test.each<[string, LogRecord]>([
    ['a native child', native()],
    ['a native root', revision({ rev: deriveRev(undefined, false, body), body })],
    ['a native tombstone', native({ rev: deriveRev(parent, true, {}), deleted: true, body: {} })],
    ['an opaque body', native({ rev: deriveRev(parent, false, Uint8Array.of(1)), body: Uint8Array.of(1) })],
    ['a native child of a foreign rev', native({ rev: deriveRev('1-F', false, body), path: ['1-F'] })],
    ['a native stub', stubOf(native())],
    ['a foreign rev', foreign()],
    ['a foreign rev that looks native', foreign({ rev: `3-${digest}` })],
    ['a foreign rev without its ancestors', foreign({ path: [] })],
    ['a foreign tombstone', foreign({ deleted: true, bodyHash: bodyHash(true, body) })],
    ['a foreign stub', stubOf(foreign())],
    ['the highest generation', foreign({ rev: `${max}-c`, path: [`${max}-b`, `${max}-a`, `${max - 1}-a`] })],
    [
      'the longest path',
      foreign({ rev: '1001-x', path: Array.from({ length: 1_000 }, (_, i) => `${1_000 - i}-x`) }),
    ],
  ])('is taken: %s', (_, record) => {
    checkRevision(record)
  })

  test.each<[string, LogRecord]>([
    ['another body', native({ body: { n: 2 } })],
    ['another parent', native({ path: ['1-ffffffffffffffffffffffffffffffff'] })],
    ['deleted or not', native({ deleted: true })],
    ['opaque or not', native({ body: Uint8Array.of(1) })],
    ['a native rev without its parent', native({ path: [] })],
    ['a native stub without its parent', stubOf(native({ path: [] }))],
    ['a foreign digest without a hash', revision({ rev: '1-CouchDB', body })],
    ['a foreign stub without a hash', stubOf(revision({ rev: '1-CouchDB', body }))],
    ['a digest in capitals', revision({ rev: deriveRev(undefined, false, body).toUpperCase(), body })],
    ['another foreign body', foreign({ body: { n: 2 } })],
    ['a foreign body deleted or not', foreign({ deleted: true })],
    ['a short hash', foreign({ bodyHash: hash(1).subarray(1) })],
    ['a revision without its body', { ...stubOf(native()), kind: 'revision' }],
    ['a stub with a body', native({ kind: 'stub' })],
    ['a malformed rev', foreign({ rev: '3' })],
    ['a generation past the highest', foreign({ rev: `${max + 1}-a`, path: [] })],
    ['a malformed ancestor', foreign({ path: ['2-x', '1-'] })],
    ['a skipped generation', foreign({ path: ['1-y'] })],
    ['a generation that stays', foreign({ path: ['3-x'] })],
    ['a generation that rises', foreign({ path: ['2-x', '3-y'] })],
    ['an ancestor of a root', foreign({ rev: '1-x', path: ['1-y'] })],
    [
      'a path too long',
      foreign({ rev: '1002-x', path: Array.from({ length: 1_001 }, (_, i) => `${1_001 - i}-x`) }),
    ],
    ['its own ancestor', foreign({ rev: `${max}-a`, path: [`${max}-b`, `${max}-a`] })],
    ['a circle', foreign({ rev: `${max}-c`, path: [`${max}-a`, `${max}-b`, `${max}-a`] })],
    ['an id that is none', native({ id: '_design' })],
    ['an empty id', native({ id: '' })],
  ])('is refused: %s', (_, record) => {
    expect(() => checkRevision(record)).toThrow(RevisionRefusedError)
  })
})
