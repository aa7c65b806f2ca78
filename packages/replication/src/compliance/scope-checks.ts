import type { LogRecord } from '@mynah/core/replica'
import { holds, same } from './check.js'
import type { MirrorChecks, RawDatabase } from './raw-database.js'
import { revision } from './revisions.js'

type Query = readonly (readonly [name: string, value: string])[]

const idsOf = (records: readonly LogRecord[]) => records.map(({ id }) => id)
const PART: Query = [
  ['prefix', 'd1'],
  ['prefix', 'ü/'],
  ['prefix', 'd2'],
  ['without', 'd15'],
]

/** Documents of which `PART` is a part; gives its ids in the order of their UTF-8 bytes. */
async function fill(db: RawDatabase): Promise<readonly string[]> {
  await db.create()
  await db.push(Array.from({ length: 30 }, (_, n) => revision(`d${29 - n}`, n)))
  await db.push([revision('ü/2', 1), revision('ü/1', 1), revision('\u{1f600}', 1)])
  const numbers = Array.from({ length: 30 }, (_, n) => `d${n}`).sort()
  return [...numbers.filter((id) => /^d[12]/.test(id) && id !== 'd15'), 'ü/1', 'ü/2']
}

export const scopeChecks: MirrorChecks = {
  'a feed of a part of the ids tells those that begin with a prefix and with none of without, in order of their bytes':
    async (db) => {
      const ids = await fill(db)
      same(idsOf(await db.pullAll(...PART)), ids, 'ids')
      const page = await db.pull(['prefix', 'none'])
      const { position } = await db.push([revision('e', 1)])
      same([page.records, page.more, page.after], [[], false, undefined], 'nothing begins so')
      const end = await db.pull(['since', page.position], ['prefix', 'none'])
      same([end.records, end.more, end.position], [[], false, position], 'nothing that changed begins so')
      same(idsOf(await db.pullAll(['without', 'd'], ['without', 'ü'])), ['e', '\u{1f600}'], 'without alone')
    },
  'pages of such a feed have one end, which only the last one covers: until then mynah-after says where it goes on':
    async (db) => {
      const ids = await fill(db)
      const position = await db.position()
      const pages = await db.pages(...PART, ['bytes', '1'])
      same(idsOf(pages.flatMap(({ records }) => records)), ids, 'ids')
      for (const page of pages) same(page.position, position, 'the end of a page')
      for (const page of pages.slice(0, -1)) same(page.after, page.records.at(-1)?.id, 'mynah-after')
      const last = pages.at(-1)!
      same([last.after, last.more], [undefined, false], 'the last page')
    },
  'what changes while such a feed is read is told as it is when its id is reached, or in the next feed':
    async (db) => {
      const ids = await fill(db)
      const start = await db.position()
      const first = await db.pull(...PART, ['bytes', '1'])
      const [passed, waiting] = [ids[0]!, ids.at(-1)!]
      const changed = [passed, waiting].map((id) => revision(id, 99, { digest: 'zz' }))
      await db.push(changed)
      const rest = await db.pages(...PART, ['bytes', '1'], ['until', first.position], ['after', first.after!])
      const told = rest.flatMap(({ records }) => records).filter(({ id }) => id === waiting)
      holds(
        told.some(({ rev }) => rev === changed[1]!.rev),
        'the change ahead is not told',
      )
      const next = idsOf(await db.pullAll(...PART, ['since', start]))
      holds(next.includes(passed), 'the change behind is not told in the next feed')
      same(rest.at(-1)!.position === start, rest.at(-1)!.more, 'the end says whether there is more since')
    },
  'a page that tells of changes past what it covers names the newest place': async (db) => {
    const ids = await fill(db)
    const first = await db.pull(...PART, ['bytes', '1'])
    const { position } = await db.push([revision(ids.at(-1)!, 99, { digest: 'zz' })])
    const last = await db.pull(...PART, ['until', first.position], ['after', ids.at(-2)!])
    same([last.position, last.newest], [first.position, position], 'what is covered, and the newest')
    const next = await db.pull(...PART, ['since', last.position])
    same([next.position, next.newest ?? position], [position, position], 'the newest, where it is covered')
  },
  'such a feed goes on from a place that holds, after an id, and else not': async (db) => {
    await fill(db)
    const position = await db.position()
    const { position: later } = await db.push([revision('d1', 7, { digest: 'y' })])
    const [incarnation, seq] = later.split('.') as [string, string]
    const wrong: readonly Query[] = [
      [['until', position]],
      [['after', 'd1']],
      [
        ['until', later],
        ['after', ''],
      ],
      [
        ['until', later],
        ['after', '_x'],
      ],
      [
        ['until', 'x'],
        ['after', 'd1'],
      ],
      [
        ['since', later],
        ['until', position],
        ['after', 'd1'],
      ],
    ]
    for (const query of wrong) {
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/records', { query: [...PART, ...query] })
    }
    for (const until of [`${'0f'.repeat(16)}.1`, `${incarnation}.${Number(seq) + 1}`]) {
      const query: Query = [...PART, ['until', until], ['after', 'd1']]
      await db.refuses(410, 'MYNAH_CURSOR_LOST', 'GET', '/records', { query })
    }
  },
  'up to 100 prefixes are taken, and as many without; more are refused': async (db) => {
    await db.create()
    const many = (name: string, count: number): Query =>
      Array.from({ length: count }, (_, n) => [name, `p${n}`] as const)
    await db.expect(204, 'GET', '/records', { query: [...many('prefix', 100), ...many('without', 100)] })
    for (const query of [many('prefix', 101), many('without', 101)]) {
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/records', { query })
    }
  },
}
