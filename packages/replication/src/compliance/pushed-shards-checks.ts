import { ByteList, utf8 } from './byte-list.js'
import { holds, same } from './check.js'
import { unpack } from './msgpack.js'
import { memberOf, seqOf, textOf } from './raw-answer.js'
import type { MirrorChecks, RawDatabase } from './raw-database.js'
import { revision, type SentRecord, stubOf } from './revisions.js'
import { ORIGIN, shardOf } from './shards.js'

/** What `docs/protocol.md` bounds. */
const RECORDS_MAX = 8_192
const TYPE = 'application/vnd.mynah.shards'

interface ShardsTold {
  readonly position: string
  readonly before: number
  readonly taken: unknown
  readonly left: unknown
}

function shards(...all: readonly Uint8Array[]): Uint8Array {
  const list = new ByteList().raw(utf8('MYSS')).u8(1).u8(0).u16(0)
  for (const shard of all) list.u32(shard.length).raw(shard)
  return list.finish()
}

function request(body: Uint8Array) {
  return { type: TYPE, body, headers: { 'mynah-database': ORIGIN } }
}

async function push(db: RawDatabase, ...all: readonly (readonly SentRecord[])[]): Promise<ShardsTold> {
  const body = shards(...all.map((records) => shardOf(records)))
  const unpacked = unpack((await db.expect(200, 'POST', '/shards', request(body))).body)
  const before = memberOf(unpacked, 'before')
  holds(typeof before === 'number', 'before is a count')
  return {
    position: textOf(memberOf(unpacked, 'position'), 'position'),
    before,
    taken: memberOf(unpacked, 'taken'),
    left: memberOf(unpacked, 'left'),
  }
}

const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => revision(`${prefix}${n}`, { n, text: `${n} `.repeat(10) }))

export const pushedShardsChecks: MirrorChecks = {
  'shards are taken, all records of all of them, and to send them again changes nothing': async (db) => {
    await db.create()
    const sent = [many('a', 1_500), many('b', 1_500), many('c', 1_500)]
    const told = await push(db, ...sent)
    same([told.taken, told.left], [4_500, []], 'taken and left')
    holds(seqOf(told.position) - told.before >= 4_500, 'seqs of what was new')
    same(await db.holds(told.position), [true], 'the place after it')
    same((await db.pullAll()).length, 4_500, 'records')
    same(await db.missing(...sent.flat().slice(0, 100)), Array(100).fill(false), 'missing')
    const again = await push(db, ...sent)
    same([again.taken, again.left, again.position], [0, [], told.position], 'the second answer')
  },
  'superseded revisions may come too, and what is known beside keeps its leaves': async (db) => {
    await db.create()
    const roots = many('a', 3_000)
    const theirs = revision('a7', { theirs: 1 })
    await db.push([theirs])
    const next = roots.slice(0, 100).map((parent) => revision(parent.id, { next: 1 }, { parent }))
    const told = await push(db, roots, next)
    same(told.left, [], 'left')
    const known = await db.pullAll()
    same(known.length, 3_001, 'leaves')
    same(
      known.flatMap(({ id, rev }) => (id === 'a7' ? [rev] : [])).sort(),
      [theirs.rev, next[7]!.rev].sort(),
      'the leaves of a7',
    )
  },
  'what cannot be taken is left, by its place, and the rest is taken': async (db) => {
    await db.create()
    const parent = revision('h', 1)
    const hanging = revision('h', 3, { parent: revision('h', 2, { parent }) })
    const told = await push(
      db,
      many('a', 1_000),
      [...many('b', 1_000), stubOf(revision('s', 1)), revision('_x', 1)],
      [...many('c', 1_000), { ...hanging, path: hanging.path.slice(0, 1) }],
    )
    same([told.taken, told.left], [3_000, [2_000, 2_001, 3_002]], 'taken and left')
    same((await db.pullAll()).length, 3_000, 'records')
    const whole = await db.push([hanging], { whole: true })
    same([whole.taken, whole.exceptions], [1, []], 'what is left, pushed as records')
  },
  'a transaction in a shard is taken or left as a whole, and ends within it': async (db) => {
    await db.create()
    const [a, b, c] = [revision('a', 1), revision('_b', 1), revision('c', 1)]
    const torn = { ...revision('t', 1), continues: true }
    const told = await push(
      db,
      [{ ...a, continues: true }, { ...b, continues: true }, c],
      [torn],
      many('d', 5),
    )
    same([told.taken, told.left], [5, [0, 1, 2, 3]], 'taken and left')
  },
  'where one shard is none, nothing of any is taken': async (db) => {
    await db.create()
    const before = await db.position()
    const good = shardOf(many('a', 10))
    const flipped = good.slice()
    flipped[good.length - 3]! ^= 1
    const bad = [good.subarray(0, 20), flipped, shardOf(many('b', 3), { version: 9 }), new Uint8Array(0)]
    for (const one of bad)
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', '/shards', request(shards(good, one)))
    const whole = shards(good)
    const cut = whole.subarray(0, whole.length - 1)
    const flag = whole.slice()
    flag[5] = 1
    for (const body of [cut, flag, good, new Uint8Array(0)])
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', '/shards', request(body))
    const unnamed = { type: TYPE, body: whole }
    await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', '/shards', unnamed)
    same(await db.position(), before, 'the place')
  },
  'more than is taken at once is refused, by what the shards say to hold': async (db) => {
    await db.create()
    const records = Math.ceil((RECORDS_MAX + 1) / 3)
    const body = shards(...['a', 'b', 'c'].map((prefix) => shardOf(many(prefix, records))))
    await db.refuses(413, 'MYNAH_REQUEST_TOO_LARGE', 'POST', '/shards', request(body))
    const raw = shardOf(many('d', 1), { rawBytes: 40 * 1024 * 1024 })
    await db.refuses(413, 'MYNAH_REQUEST_TOO_LARGE', 'POST', '/shards', request(shards(raw, raw)))
    same((await db.pullAll()).length, 0, 'records')
  },
}
