import { holds, same } from './check.js'
import { pushTold, refused, seqOf } from './raw-answer.js'
import type { MirrorChecks } from './raw-database.js'
import { type Body, leafOf, revision, type SentRecord, stubOf } from './revisions.js'
import { shardOf } from './shards.js'

const REFUSED = 'MYNAH_REVISION_REFUSED'
const DETACHED = 'MYNAH_DETACHED'

/** A line of revisions of one document, the first first. */
export function line(id: string, length: number): readonly SentRecord[] {
  const all = [revision(id, 0)]
  while (all.length < length) all.push(revision(id, all.length, { parent: all.at(-1)! }))
  return all
}

const codes = (exceptions: readonly (readonly unknown[])[]) =>
  exceptions.map(([index, code]) => [index, code])

export const pushChecks: MirrorChecks = {
  'a record that is new takes the next seq, and the answer names it': async (db) => {
    await db.create()
    let last = seqOf(await db.position())
    for (const id of ['a', 'b']) {
      const told = await db.push([revision(id, 1)])
      same([told.before, told.taken, told.exceptions], [last, 1, []], 'before, taken, exceptions')
      same(seqOf(told.position), last + 1, 'the seq of position')
      same(
        [await db.position(), await db.holds(told.position)],
        [told.position, [true]],
        'the place after it',
      )
      last = seqOf(told.position)
    }
  },
  'records that are new take the seqs from before + 1 to the one of position': async (db) => {
    await db.create()
    const told = await db.push(Array.from({ length: 100 }, (_, n) => revision(`d${n}`, n)))
    same([told.taken, seqOf(told.position) - told.before], [100, 100], 'taken, and seqs')
  },
  'to send the same again changes nothing and takes no seq': async (db) => {
    await db.create()
    const records = [revision('a', 1), revision('b', 2), revision('c', 3, { digest: 'x9' })]
    const first = await db.push(records)
    const again = await db.push(records)
    same([again.taken, again.exceptions, again.position], [0, [], first.position], 'the second answer')
    same(seqOf(again.position), again.before, 'nothing was new')
    same((await db.pullAll()).length, 3, 'records')
  },
  'every value comes back as it was sent': async (db) => {
    await db.create()
    const body = {
      text: 'ü€😀\n"\\\u2028\u0000',
      at: new Date(1_700_000_000_123),
      bytes: Uint8Array.from({ length: 300 }, (_, n) => n & 255),
      big: -(2n ** 70n),
      none: null,
      yes: true,
      numbers: [0, -1, 0.1 + 0.2, 2 ** 53, -1e308, 5e-324],
      nested: { list: [[], {}, ['x', { y: [new Date(0)] }]], ['__proto__']: 1, $date: 'a member' },
      '': 'no name',
    }
    const sent = revision('a', body)
    same((await db.push([sent])).exceptions, [], 'exceptions')
    const [found] = (await db.pull(['bodies', '1'])).records
    same(found?.rev, sent.rev, 'the rev, which is derived from the body')
    same(plain(found?.body), body, 'the body')
  },
  'ids are any text of up to 1,024 bytes without control characters that does not begin with _': async (
    db,
  ) => {
    await db.create()
    const good = ['/', 'a b?c#d%2F', 'ü/€/😀', 'a/../b', '"', 'x'.repeat(1_024), 'ü'.repeat(512)]
    const bad = ['_a', 'a\n', 'a\u0000', '\u007f', 'ü'.repeat(513)]
    const { exceptions, taken } = await db.push([...good, ...bad].map((id) => revision(id, 1)))
    same(
      codes(exceptions),
      bad.map((_, n) => [good.length + n, REFUSED]),
      'exceptions',
    )
    same(taken, good.length, 'taken')
    same(
      (await db.pullAll()).map(({ id }) => id),
      good,
      'the feed',
    )
  },
  'a child supersedes its parent, in one push or in two': async (db) => {
    await db.create()
    const [first, second, third] = line('a', 3) as [SentRecord, SentRecord, SentRecord]
    await db.push([first, second])
    await db.push([third])
    const records = await db.pullAll(['whole', '1'])
    same(
      records.map(({ rev, path }) => [rev, path]),
      [[third.rev, third.path]],
      'leaves',
    )
  },
  'an ancestor that comes after its descendant is known': async (db) => {
    await db.create()
    const [first, second, third] = line('a', 3) as [SentRecord, SentRecord, SentRecord]
    const { position } = await db.push([third], { whole: true })
    const told = await db.push([second, first])
    same([told.taken, told.exceptions, told.position], [0, [], position], 'the second answer')
  },
  'two children of one revision are both kept': async (db) => {
    await db.create()
    const root = revision('a', 0)
    const leaves = [1, 2].map((n) => revision('a', n, { parent: root }))
    await db.push([root, leaves[0]!])
    await db.push([leaves[1]!])
    const found = (await db.pullAll(['bodies', '1'])).map(({ rev, body }) => [rev, plain(body)])
    same(found.sort(), leaves.map(({ rev, body }) => [rev, body]).sort(), 'leaves')
  },
  'foreign revisions are told apart by rev and hash of their bodies': async (db) => {
    await db.create()
    const leaves = [1, 2].map((n) => revision('a', n, { digest: 'abc' }))
    same((await db.push(leaves)).taken, 2, 'taken')
    const found = (await db.pullAll(['bodies', '1'])).map(({ rev, body }) => [rev, plain(body)])
    same(found.sort(), leaves.map(({ rev, body }) => [rev, body]).sort(), 'leaves')
  },
  'a path that ends at a revision unknown to the mirror is MYNAH_DETACHED, and taken with whole=1': async (
    db,
  ) => {
    await db.create()
    const all = line('a', 4)
    await db.push([all[0]!])
    const cut = { ...all[3]!, path: all[3]!.path.slice(0, 1) }
    const { position } = await db.push([revision('b', 1)])
    const told = await db.push([cut])
    same([codes(told.exceptions), told.taken, told.position], [[[0, DETACHED]], 0, position], 'without whole')
    const again = await db.push([all[3]!], { whole: true })
    same([again.exceptions, again.taken], [[], 1], 'with its whole path')
  },
  'a path may be cut at a revision that the mirror knows': async (db) => {
    await db.create()
    const all = line('a', 4)
    await db.push(all.slice(0, 2))
    const told = await db.push([{ ...all[3]!, path: all[3]!.path.slice(0, 2) }])
    same([told.exceptions, told.taken], [[], 1], 'the answer')
    const [leaf] = await db.pullAll(['whole', '1'])
    same([leaf?.rev, leaf?.path], [all[3]!.rev, all[3]!.path], 'the leaf and its whole path')
  },
  'a record that is refused does not hinder the others': async (db) => {
    await db.create()
    const skips = { ...revision('skips', 1, { digest: 'x' }), rev: '5-x', path: ['3-y'] }
    const records = [revision('a', 1), stubOf(revision('b', 1)), skips, revision('c', 1)]
    const told = await db.push(records)
    same(
      codes(told.exceptions),
      [
        [1, REFUSED],
        [2, REFUSED],
      ],
      'exceptions: a stub, and a path that skips a generation',
    )
    for (const [, , reason] of told.exceptions) holds(reason.length > 0, 'a refusal has a reason')
    same(
      (await db.pullAll()).map(({ id }) => id),
      ['a', 'c'],
      'what was taken',
    )
  },
  'a path has up to 1,000 ancestors, and a shard with more is none': async (db) => {
    await db.create()
    const all = line('long', 1_002)
    const revs = all.map(({ rev }) => rev).reverse()
    const tooLong = { ...all[1_001]!, path: revs.slice(1) }
    refused(await db.pushShard(shardOf([tooLong])), 400, 'MYNAH_MESSAGE_INVALID', '1,001 ancestors')
    same((await db.push([all[1_000]!], { whole: true })).exceptions, [], '1,000 ancestors')
    same((await db.push([all[1_001]!])).exceptions, [], 'a child of it')
    const [leaf] = await db.pullAll(['whole', '1'])
    same([leaf?.rev, leaf?.path], [all[1_001]!.rev, revs.slice(1, 1_001)], 'the leaf and its ancestors')
  },
  'a peer may push up to 1,000 live leaves of one document': async (db) => {
    await db.create()
    const leaves = Array.from({ length: 1_001 }, (_, n) => revision('a', n))
    const told = await db.push(leaves)
    same(codes(told.exceptions), [[1_000, REFUSED]], 'exceptions')
    same((await db.pullAll(['bytes', '1'])).length, 1_000, 'leaves, on one page')
  },
  'a body has up to 100 levels, and a deeper one is not taken': async (db) => {
    await db.create()
    const deep = (levels: number): Body => (levels === 1 ? {} : { in: deep(levels - 1) })
    same((await db.push([revision('deep', deep(100))])).exceptions, [], '100 levels')
    const answer = await db.pushShard(shardOf([revision('deeper', deep(101))]))
    if (answer.status === 200) same(pushTold(answer).exceptions.length, 1, 'exceptions of 101 levels')
    else refused(answer, 400, 'MYNAH_MESSAGE_INVALID', '101 levels')
    same(
      (await db.pullAll()).map(({ id }) => id),
      ['deep'],
      'what was taken',
    )
  },
  'a body has up to 8 MiB of canonical bytes, and one with more is refused': async (db) => {
    await db.create()
    // Besides the text: tag and count, the name, a tag and the length in four bytes.
    const sized = (bytes: number) => ({ t: 'x'.repeat(bytes - 9) })
    const most = 8 * 1024 * 1024
    same((await db.push([revision('a', sized(most))])).exceptions, [], '8 MiB')
    const { exceptions } = await db.push([revision('b', sized(most + 1)), revision('c', 1)])
    same(
      exceptions.map(([index]) => index),
      [0],
      'exceptions of a byte more',
    )
    same(
      (await db.pullAll()).map(({ id }) => id),
      ['a', 'c'],
      'what was taken',
    )
  },
  'a tombstone is a revision like any other': async (db) => {
    await db.create()
    const first = revision('a', 1)
    const gone = revision('a', 0, { parent: first, deleted: true })
    same((await db.push([first, gone])).exceptions, [], 'exceptions')
    const [found] = await db.pullAll(['bodies', '1'])
    same([found?.rev, found?.deleted, plain(found?.body)], [gone.rev, true, {}], 'the leaf')
    same(
      await db.tell('/records/held', [leafOf(gone)]).then((told) => (told as { held: unknown }).held),
      [true],
      'held',
    )
  },
  'pushes at the same time are each taken whole, at places of their own': async (db) => {
    await db.create()
    const told = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        db.push(Array.from({ length: 25 }, (_, i) => revision(`${n}-${i}`, i))),
      ),
    )
    const places = told
      .map(({ before, position }) => [before, seqOf(position)] as const)
      .sort(([a], [b]) => a - b)
    for (const [before, end] of places) same(end - before, 25, 'seqs of one push')
    for (const [i, [before]] of places.entries())
      holds(i === 0 || before >= places[i - 1]![1], 'places overlap')
    same((await db.pullAll()).length, 200, 'records')
  },
}

/** A value of core's as one of this suite's: its objects may have no prototype. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const entries = Object.entries(value).map(([name, member]) => [name, plain(member)] as const)
  return Object.fromEntries(entries)
}
