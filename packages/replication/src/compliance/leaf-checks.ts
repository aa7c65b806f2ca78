import { holds, same } from './check.js'
import { pack } from './msgpack.js'
import { line, plain } from './push-checks.js'
import { memberOf } from './raw-answer.js'
import { type MirrorChecks, type RawDatabase, types } from './raw-database.js'
import { leafOf, revision, type SentRecord } from './revisions.js'

/** A document with two leaves, one with a foreign rev, one that is gone, and what was superseded. */
async function fill(db: RawDatabase) {
  await db.create()
  const [root, left] = line('a', 2) as [SentRecord, SentRecord]
  const right = revision('a', 9, { parent: root })
  const foreign = revision('f', 1, { digest: 'abc' })
  const lived = revision('gone', 1)
  const gone = revision('gone', 0, { parent: lived, deleted: true })
  await db.push([root, left, foreign, lived, gone])
  await db.push([right])
  return { root, left, right, foreign, gone }
}

const twin = (record: SentRecord): SentRecord => ({ ...record, bodyHash: new Uint8Array(32) })

export const leafChecks: MirrorChecks = {
  'missing is true for what is unknown, and false for leaves that are durable': async (db) => {
    const { left, right, foreign, gone } = await fill(db)
    same(await db.missing(left, right, gone, foreign), [false, false, false, false], 'leaves')
    same(await db.missing(revision('a', 5), revision('new', 1), left), [true, true, false], 'what is unknown')
    same(await db.missing(twin(foreign)), [true], 'a foreign rev with another hash')
    same(await db.tell('/records/missing', []), [], 'nothing')
  },
  'held is true for leaves whose bodies are durable, not for ancestors and what is unknown': async (db) => {
    const { root, left, right, foreign, gone } = await fill(db)
    const asked = [left, right, gone, foreign, root, revision('new', 1), twin(foreign)]
    same(await db.held(...asked), [true, true, true, true, false, false, false], 'held')
  },
  'held says who answers, and that it is a mirror': async (db) => {
    const { left } = await fill(db)
    const told = await db.tell('/records/held', [leafOf(left)])
    same(
      [memberOf(told, 'id'), memberOf(told, 'mode')],
      [(await db.info()).id as string, 'mirror'],
      'id and mode',
    )
  },
  'fetch gives the records of leaves with their bodies, in the order that they were asked for': async (
    db,
  ) => {
    const { left, right, foreign, gone } = await fill(db)
    const asked = [foreign, right, left, gone]
    const found = await db.fetch(asked.map(leafOf))
    same(
      found.map(({ id, rev, body }) => [id, rev, plain(body)]),
      asked.map(({ id, rev, body }) => [id, rev, body]),
      'records',
    )
  },
  'fetch leaves out what is not held, and is 204 when there is none': async (db) => {
    const { left } = await fill(db)
    const unknown = [leafOf(revision('a', 77)), leafOf(revision('new', 1)), ['nobody']] as const
    same(
      (await db.fetch([...unknown, leafOf(left)])).map(({ rev }) => rev),
      [left.rev],
      'what is there',
    )
    const nothing = { type: types.message, body: pack(unknown) }
    same((await db.expect(204, 'POST', '/records/fetch', nothing)).body.length, 0, 'bytes of an empty answer')
  },
  'fetch of an id gives all leaves of the document with whole paths, as stubs with stubs=1': async (db) => {
    const { left, right } = await fill(db)
    const expected = [left, right].map(({ rev, path }) => [rev, path]).sort()
    const found = await db.fetch([['a']])
    same(found.map(({ rev, path }) => [rev, path]).sort(), expected, 'leaves')
    holds(
      found.every(({ body }) => body !== undefined),
      'leaves have their bodies',
    )
    const stubs = await db.fetch([['a']], ['stubs', '1'])
    same(
      stubs.map(({ rev, path, body }) => [rev, path, body]).sort(),
      expected.map((leaf) => [...leaf, undefined]),
      'stubs',
    )
  },
  'fetch with whole=1 gives whole paths': async (db) => {
    await db.create()
    const all = line('a', 6)
    for (const record of all) await db.push([record])
    const [found] = await db.fetch([leafOf(all[5]!)], ['whole', '1'])
    same(found?.path, all[5]!.path, 'the path')
  },
  'fetch answers at its newest place': async (db) => {
    const { left } = await fill(db)
    const body = pack([leafOf(left)])
    const answer = await db.expect(200, 'POST', '/records/fetch', { type: types.message, body })
    same(answer.headers.get('mynah-position'), await db.position(), 'mynah-position')
  },
  'what is asked about in one question has a bound, and one past it is refused': async (db) => {
    await db.create()
    const bounds = [
      ['/records/missing', 10_000],
      ['/records/held', 1_000],
      ['/records/fetch', 1_000],
    ] as const
    for (const [path, most] of bounds) {
      const leaves = (count: number) => ({
        type: types.message,
        body: pack(Array.from({ length: count }, (_, n) => [`d${n}`, '1-b'])),
      })
      await db.expect(path === '/records/fetch' ? 204 : 200, 'POST', path, leaves(most))
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', path, leaves(most + 1))
    }
  },
  'the mirror tells what it owes: nothing, when all came with bodies': async (db) => {
    await fill(db)
    for (const query of [[], [['after', 'b'] as const]]) {
      const { headers } = await db.expect(200, 'GET', '/owed', { query })
      same(headers.get('mynah-position'), await db.position(), 'mynah-position')
    }
    const { body } = await db.expect(200, 'GET', '/owed')
    same([...body], [...pack({ leaves: [] })], 'the message')
    await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/owed', {
      query: [
        ['after', 'a'],
        ['after', 'b'],
      ],
    })
  },
}
