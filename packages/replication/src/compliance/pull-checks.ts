import type { LogRecord } from '@mynah/core/replica'
import { holds, same } from './check.js'
import { line, plain } from './push-checks.js'
import { positionOf } from './raw-answer.js'
import type { MirrorChecks, RawDatabase } from './raw-database.js'
import { revision } from './revisions.js'

const COUNT = 30
const ELSEWHERE = '0f'.repeat(16)

const idsOf = (records: readonly LogRecord[]) => records.map(({ id }) => id)

/** Documents, some of which changed again; gives their ids in the order of their newest changes. */
async function fill(db: RawDatabase): Promise<string[]> {
  await db.create()
  const first = Array.from({ length: COUNT }, (_, n) => revision(`d${n}`, n))
  await db.push(first)
  const changed = first.filter((_, n) => n % 7 === 3)
  await db.push(changed.map((parent) => revision(parent.id, 100, { parent })))
  return [...first.filter((record) => !changed.includes(record)), ...changed].map(({ id }) => id)
}

export const pullChecks: MirrorChecks = {
  'the feed tells each document once, in the order of their newest changes': async (db) => {
    const ids = await fill(db)
    same(idsOf(await db.pullAll()), ids, 'the feed')
  },
  'pages of any size tell the same, and of one byte a document each': async (db) => {
    const ids = await fill(db)
    for (const bytes of ['1', '500', '999999999999'])
      same(idsOf(await db.pullAll(['bytes', bytes])), ids, `bytes=${bytes}`)
    const page = await db.pull(['bytes', '1'])
    same([page.records.length, page.more], [1, true], 'a page of one byte')
  },
  'since goes on where a page ended, and the end says so: 204, no more, the newest place': async (db) => {
    const ids = await fill(db)
    const page = await db.pull(['bytes', '1'])
    same(await db.holds(page.position), [true], 'the position of a page')
    const rest = await db.pull(['since', page.position])
    same([...idsOf(page.records), ...idsOf(rest.records)], ids, 'both pages')
    const end = await db.expect(204, 'GET', '/records', { query: [['since', rest.position]] })
    same([positionOf(end), end.headers.get('mynah-more')], [await db.position(), '0'], 'the end')
    same(end.body.length, 0, 'bytes of an empty page')
  },
  'a document that changes while the feed is read is told at its newest place, once after it': async (db) => {
    const ids = await fill(db)
    const page = await db.pull(['bytes', '1'])
    const changing = ids.at(-2)!
    await db.push([revision(changing, -1, { digest: 'zz' })])
    const rest = idsOf(await db.pullAll(['bytes', '1'], ['since', page.position]))
    same([...new Set(rest)], [...ids.slice(1, -2), ids.at(-1)!, changing], 'the pages after the first')
  },
  'bodies=0 gives stubs, bodies=1 what is held, and 0 is the default': async (db) => {
    await fill(db)
    for (const query of [[], [['bodies', '0'] as const]]) {
      for (const { kind, body } of await db.pullAll(...query))
        same([kind, body], ['stub', undefined], 'a stub')
    }
    for (const { kind, body } of await db.pullAll(['bodies', '1'])) {
      same([kind, typeof (plain(body) as { n: unknown }).n], ['revision', 'number'], 'a record with its body')
    }
  },
  'a document comes with all its leaves on one page, tombstones too': async (db) => {
    await db.create()
    const root = revision('a', 0)
    const leaves = [
      revision('a', 1, { parent: root }),
      revision('a', 2, { parent: root }),
      revision('a', 0, { parent: root, deleted: true }),
      revision('a', 3, { digest: 'abc' }),
    ]
    await db.push([root, leaves[0]!, revision('b', 1)])
    await db.push(leaves.slice(1))
    const pages = [await db.pull(['bytes', '1'])]
    while (pages.at(-1)!.more) pages.push(await db.pull(['bytes', '1'], ['since', pages.at(-1)!.position]))
    same(
      pages.map(({ records }) => [...new Set(idsOf(records))]),
      [['b'], ['a']],
      'documents of the pages',
    )
    same(
      pages[1]!.records.map(({ rev, deleted }) => [rev, deleted]).sort(),
      leaves.map(({ rev, deleted }) => [rev, deleted]).sort(),
      'leaves',
    )
  },
  'paths go back to a revision recorded at or below since, and to the root with whole=1': async (db) => {
    await db.create()
    const all = line('a', 5)
    const { position } = await db.push(all.slice(0, 2))
    await db.push(all.slice(2, 4))
    await db.push(all.slice(4))
    const [leaf] = (await db.pull(['since', position])).records
    const known = all.slice(0, 2).map(({ rev }) => rev)
    holds(
      leaf?.path.some((rev) => known.includes(rev)) === true,
      'the path does not reach what was recorded before',
    )
    same(leaf?.path, all[4]!.path.slice(0, leaf?.path.length), 'the path')
    const [whole] = (await db.pull(['since', position], ['whole', '1'])).records
    same(whole?.path, all[4]!.path, 'the whole path')
    const [fromStart] = (await db.pull()).records
    same(fromStart?.path, all[4]!.path, 'the path without since')
  },
  'a position of another history, or past the end, is 410 MYNAH_CURSOR_LOST': async (db) => {
    await fill(db)
    const [incarnation, seq] = (await db.position()).split('.') as [string, string]
    for (const since of [
      `${ELSEWHERE}.1`,
      `${incarnation}.${Number(seq) + 1}`,
      `${incarnation}.9007199254740991`,
    ]) {
      await db.refuses(410, 'MYNAH_CURSOR_LOST', 'GET', '/records', { query: [['since', since]] })
    }
  },
  'a parameter that is malformed, or comes twice, is refused': async (db) => {
    await db.create()
    const position = await db.position()
    const wrong: readonly (readonly (readonly [string, string])[])[] = [
      [['since', 'x']],
      [['since', '']],
      [['since', `${ELSEWHERE}.01`]],
      [
        ['since', position],
        ['since', position],
      ],
      [['bodies', 'yes']],
      [['bodies', '2']],
      [['whole', '']],
      [['bytes', '0']],
      [['bytes', '-1']],
      [['bytes', '1e3']],
      [
        ['bytes', '1'],
        ['bytes', '2'],
      ],
    ]
    for (const query of wrong) await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/records', { query })
  },
}
