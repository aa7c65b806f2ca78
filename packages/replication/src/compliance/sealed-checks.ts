import type { LogRecord } from '@mynah/core/replica'
import { holds, same } from './check.js'
import { positionOf, seqOf } from './raw-answer.js'
import type { MirrorChecks, RawDatabase } from './raw-database.js'
import { revision } from './revisions.js'
import { recordsOf } from './shards.js'

const HEADER_BYTES = 8
const COUNT = 3_000

/** The shards of an answer. */
function shardsIn(body: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  same(
    [...body.subarray(0, 5), body[6], body[7]],
    [0x4d, 0x59, 0x53, 0x53, 1, 0, 0],
    'magic, version and zeros',
  )
  same(body[5], 0, 'flags of a log that lost nothing')
  const shards: Uint8Array[] = []
  for (let at = HEADER_BYTES; at < body.length; ) {
    const length = view.getUint32(at)
    holds(at + 4 + length <= body.length, 'a shard ends behind the answer')
    shards.push(body.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return shards
}

/** All that is sealed, page by page, and the place that it covers; undefined where nothing is. */
async function sealed(
  db: RawDatabase,
  bytes: string,
): Promise<{ readonly records: readonly LogRecord[]; readonly position: string | undefined }> {
  const records: LogRecord[] = []
  for (let position: string | undefined; ; ) {
    const after = position === undefined ? [] : [['after', position] as const]
    const answer = await db.ask('GET', '/shards', { query: [...after, ['bytes', bytes]] })
    if (answer.status === 204) return { records, position }
    same(answer.status, 200, 'GET :db/shards')
    same(answer.headers.get('content-type'), 'application/vnd.mynah.shards', 'content-type')
    const shards = shardsIn(answer.body)
    holds(shards.length > 0, 'an answer without a shard is 204')
    for (const shard of shards) records.push(...(await recordsOf(shard)))
    const next = positionOf(answer)
    holds(position === undefined || seqOf(next) > seqOf(position), 'a page that does not go on')
    position = next
    same(await db.holds(position), [true], 'the place that a page covers')
    if (answer.headers.get('mynah-more') !== '1') return { records, position }
  }
}

export const sealedChecks: MirrorChecks = {
  'what is sealed, and the feed from there on, are all that there is': async (db) => {
    await db.create()
    const sent = Array.from({ length: COUNT }, (_, n) => revision(`d${n}`, { n, text: `${n} `.repeat(30) }))
    await db.push(sent)
    await db.push(sent.slice(0, 50).map((parent) => revision(parent.id, 1, { parent })))
    const expected = (await db.pullAll()).map(({ id, rev }) => `${id} ${rev}`).sort()
    for (const bytes of ['1', '100000', '99999999']) {
      const { records, position } = await sealed(db, bytes)
      const since = position === undefined ? [] : [['since', position] as const]
      const known = [...records, ...(await db.pullAll(...since, ['whole', '1']))]
      const superseded = new Set(known.flatMap(({ id, path }) => path.map((rev) => `${id} ${rev}`)))
      const leaves = new Set(
        known.map(({ id, rev }) => `${id} ${rev}`).filter((leaf) => !superseded.has(leaf)),
      )
      same([...leaves].sort(), expected, `leaves, with bytes=${bytes}`)
    }
  },
  'what is sealed is asked for from a place that holds, and with a number of bytes': async (db) => {
    await db.create()
    const { position } = await db.push([revision('a', 1)])
    const [incarnation, seq] = position.split('.') as [string, string]
    for (const after of [`${'0f'.repeat(16)}.1`, `${incarnation}.${Number(seq) + 1}`]) {
      await db.refuses(410, 'MYNAH_CURSOR_LOST', 'GET', '/shards', { query: [['after', after]] })
    }
    for (const query of [['after', 'x'] as const, ['bytes', '0'] as const, ['bytes', 'all'] as const]) {
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/shards', { query: [query] })
    }
    const end = await db.expect(204, 'GET', '/shards', { query: [['after', position]] })
    same([end.body.length, end.headers.get('mynah-more')], [0, '0'], 'behind the end')
  },
}
