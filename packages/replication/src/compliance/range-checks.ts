import { compareBytes, fromHex, utf8 } from './byte-list.js'
import { holds, same } from './check.js'
import { type Packed, pack, unpack } from './msgpack.js'
import { memberOf } from './raw-answer.js'
import { type MirrorChecks, type RawDatabase, types } from './raw-database.js'
import { fingerprint, revision, type SentRecord } from './revisions.js'

const MODULUS = 1n << 128n
const ROUNDS = 12

/** What the suite knows of an id. */
interface KnownId {
  readonly id: string
  readonly bytes: Uint8Array
  readonly print: bigint
}

/** In order of their ids. */
type Known = readonly KnownId[]

interface Asked {
  readonly from: string
  /** '': to the end. */
  readonly to: string
}

type Told =
  | { readonly kind: 'same' }
  | {
      readonly kind: 'parts'
      readonly parts: readonly { readonly from: string; readonly count: number; readonly print: bigint }[]
    }
  | { readonly kind: 'ids'; readonly ids: readonly { readonly id: string; readonly print: bigint }[] }

/** What these records make known: of each document its leaves. */
function known(...records: readonly SentRecord[]): Known {
  const all = new Map<string, readonly SentRecord[]>()
  for (const record of records) {
    const others = all.get(record.id) ?? []
    all.set(record.id, [...others.filter(({ rev }) => !record.path.includes(rev)), record])
  }
  const ids = [...all].map(([id, leaves]) => ({
    id,
    bytes: utf8(id),
    print: fingerprint(id, leaves) % MODULUS,
  }))
  return ids.sort((a, b) => compareBytes(a.bytes, b.bytes))
}

function within({ from, to }: Asked, bytes: Uint8Array): boolean {
  return compareBytes(bytes, utf8(from)) >= 0 && (to === '' || compareBytes(bytes, utf8(to)) < 0)
}

/** Count and print of a range. */
function sumOf(all: Known, range: Asked): { readonly count: number; readonly print: bigint } {
  const ids = all.filter(({ bytes }) => within(range, bytes))
  return { count: ids.length, print: ids.reduce((sum, { print }) => sum + print, 0n) % MODULUS }
}

function printBytes(print: bigint): Uint8Array {
  return fromHex(print.toString(16).padStart(32, '0'))
}

function entryOf(all: Known, range: Asked): Packed {
  const { count, print } = sumOf(all, range)
  return [range.from, range.to, count, printBytes(print)]
}

async function ask(db: RawDatabase, entries: readonly Packed[]): Promise<readonly Packed[]> {
  const answer = await db.expect(200, 'POST', '/ranges', { type: types.message, body: pack(entries) })
  same(answer.headers.get('mynah-position'), await db.position(), 'mynah-position')
  const message = unpack(answer.body)
  same(memberOf(message, 'owed'), 0, 'owed')
  const ranges = memberOf(message, 'ranges')
  holds(Array.isArray(ranges), 'ranges is an array')
  return ranges as readonly Packed[]
}

function toldOf(entry: Packed, range: Asked): Told {
  holds(Array.isArray(entry), 'an entry is an array')
  const [kind, coded, ...rest] = entry as readonly Packed[]
  if (kind === 0) return { kind: 'same' }
  const texts = textsOf(coded)
  for (const [i, text] of texts.entries()) {
    holds(within(range, utf8(text)), `${JSON.stringify(text)} is not in its range`)
    holds(i === 0 || compareBytes(utf8(texts[i - 1]!), utf8(text)) < 0, 'texts are out of order')
  }
  if (kind === 2) {
    const prints = printsOf(rest[0], texts.length)
    return { kind: 'ids', ids: texts.map((id, i) => ({ id, print: prints[i]! })) }
  }
  same(kind, 1, 'the kind of an entry')
  holds(texts[0] !== range.from, 'the first border is the beginning of its range')
  const froms = [range.from, ...texts]
  const counts = rest[0]
  holds(Array.isArray(counts) && counts.length === froms.length, 'a count for each part')
  const prints = printsOf(rest[1], froms.length)
  return {
    kind: 'parts',
    parts: froms.map((from, i) => ({ from, count: Number(counts[i]), print: prints[i]! })),
  }
}

function textsOf(coded: Packed | undefined): readonly string[] {
  holds(Array.isArray(coded) && coded.length % 2 === 0, 'texts are pairs')
  const texts: string[] = []
  for (let i = 0; i < coded.length; i += 2) {
    const [shared, rest] = [Number(coded[i]), String(coded[i + 1])]
    const before = [...(texts.at(-1) ?? '')]
    holds(shared <= before.length, 'a text has more in common with the one before than that has')
    texts.push(before.slice(0, shared).join('') + rest)
  }
  return texts
}

function printsOf(value: Packed | undefined, count: number): readonly bigint[] {
  holds(value instanceof Uint8Array && value.length === 16 * count, `${count} prints of 16 bytes`)
  return Array.from({ length: count }, (_, i) => {
    const hex = Array.from(value.subarray(16 * i, 16 * (i + 1)), (byte) => byte.toString(16).padStart(2, '0'))
    return BigInt(`0x${hex.join('')}`)
  })
}

/** Ids whose leaves differ, found as a peer finds them; `rounds` tells how many questions it took. */
async function differences(
  db: RawDatabase,
  own: Known,
): Promise<{ readonly ids: readonly string[]; readonly rounds: number }> {
  const ids = new Set<string>()
  let open: readonly Asked[] = [{ from: '', to: '' }]
  let rounds = 0
  for (; open.length > 0; rounds++) {
    holds(rounds < ROUNDS, `no end after ${ROUNDS} questions`)
    const asked = open.slice(0, 512)
    const entries = await ask(
      db,
      asked.map((range) => entryOf(own, range)),
    )
    holds(
      entries.length > 0 && entries.length <= asked.length,
      'an entry for one range at least, and for no more than asked',
    )
    const next = entries.flatMap((entry, i) => judge(toldOf(entry, asked[i]!), asked[i]!, own, ids))
    open = [...next, ...asked.slice(entries.length), ...open.slice(512)]
  }
  return { ids: [...ids].sort(), rounds }
}

/** What is to be asked about further. */
function judge(told: Told, range: Asked, own: Known, found: Set<string>): readonly Asked[] {
  if (told.kind === 'same') return []
  if (told.kind === 'ids') {
    const theirs = new Map(told.ids.map(({ id, print }) => [id, print]))
    for (const { id, print } of own.filter(({ bytes }) => within(range, bytes))) {
      if (theirs.get(id) !== print) found.add(id)
      theirs.delete(id)
    }
    for (const id of theirs.keys()) found.add(id)
    return []
  }
  const parts = told.parts.map((part, i) => ({ ...part, to: told.parts[i + 1]?.from ?? range.to }))
  return parts.filter((part) => {
    const { count, print } = sumOf(own, part)
    return count !== part.count || print !== part.print
  })
}

/** Documents with all that a fingerprint depends on. */
function documents(count: number): readonly SentRecord[] {
  const plain = Array.from({ length: count }, (_, n) => revision(`site-${n % 7}/${n}`, n))
  const first = plain[0]!
  return [
    ...plain,
    revision(first.id, -1, { parent: first }),
    revision(first.id, -2, { parent: first }),
    revision(plain[1]!.id, 0, { parent: plain[1]!, deleted: true }),
    revision('f', 1, { digest: 'abc' }),
    revision('f', 2, { digest: 'abc' }),
    revision('ü/€', 1),
    revision('\u{1f600}', 1),
    revision('\uffee', 1),
  ]
}

export const rangeChecks: MirrorChecks = {
  'of an empty database there is nothing to tell': async (db) => {
    await db.create()
    const [entry] = await ask(db, [['', '']])
    same(entry, [2, [], new Uint8Array(0)], 'all its ids')
    const [known] = await ask(db, [['', '', 0, new Uint8Array(16)]])
    same(known, [0], 'the same')
  },
  'ids come with prints of their fingerprints: conflicts, deletions, foreign revs and all': async (db) => {
    await db.create()
    const sent = documents(20)
    await db.push(sent)
    const all = known(...sent)
    const range = { from: '', to: '' }
    const told = toldOf((await ask(db, [['', '']]))[0]!, range)
    const expected = all.map(({ id, print }) => ({ id, print }))
    same(told, { kind: 'ids', ids: expected }, 'the ids')
  },
  'a range whose count and print are the same is said to be so, and only then': async (db) => {
    await db.create()
    const sent = documents(300)
    await db.push(sent)
    const all = known(...sent)
    const ranges = [
      { from: '', to: '' },
      { from: 'site-2/', to: 'site-3/' },
      { from: 'f', to: 'g' },
      { from: '\u{1f600}', to: '' },
      { from: 'x', to: 'y' },
    ]
    same(
      await ask(
        db,
        ranges.map((range) => entryOf(all, range)),
      ),
      ranges.map(() => [0]),
      'ranges that are the same',
    )
    const wrong = ranges.map((range) => {
      const { count, print } = sumOf(all, range)
      return [range.from, range.to, count, printBytes((print + 1n) % MODULUS)]
    })
    for (const entry of await ask(db, wrong))
      holds((entry as readonly Packed[])[0] !== 0, 'a print that differs')
    const counts = ranges.map((range) => [
      range.from,
      range.to,
      sumOf(all, range).count + 1,
      printBytes(sumOf(all, range).print),
    ])
    for (const entry of await ask(db, counts))
      holds((entry as readonly Packed[])[0] !== 0, 'a count that differs')
  },
  'parts are the whole of their range: borders in order, counts and prints of what is there': async (db) => {
    await db.create()
    const sent = documents(2_000)
    await db.push(sent)
    const all = known(...sent)
    for (const range of [
      { from: '', to: '' },
      { from: 'site-1/', to: 'site-6/' },
    ]) {
      const told = toldOf((await ask(db, [[range.from, range.to]]))[0]!, range)
      holds(told.kind === 'parts', 'so many ids are told in parts')
      for (const [i, { from, count, print }] of told.parts.entries()) {
        same({ count, print }, sumOf(all, { from, to: told.parts[i + 1]?.from ?? range.to }), `part ${i}`)
      }
    }
  },
  'differences are found by asking about what differs, and nothing else': async (db) => {
    await db.create()
    const sent = documents(1_500)
    await db.push(sent)
    const own = known(
      ...sent.filter((_, n) => n !== 700 && n !== 1_200),
      revision('only here', 1),
      revision('site-3/3', 9, { digest: 'x9' }),
    )
    const expected = [sent[700]!.id, sent[1_200]!.id, 'only here', 'site-3/3'].sort()
    const { ids, rounds } = await differences(db, own)
    same(ids, expected, 'what differs')
    holds(rounds <= 6, `${rounds} questions for 4 differences among 1,500`)
    same(await differences(db, known(...sent)), { ids: [], rounds: 1 }, 'nothing differs')
  },
  'up to 512 ranges are answered for, more are refused': async (db) => {
    await db.create()
    const ranges = (count: number) => Array.from({ length: count }, (_, n) => [`${n}`, `${n}x`])
    holds((await ask(db, ranges(512))).length > 0, 'an entry for one range at least')
    const more = { type: types.message, body: pack(ranges(513)) }
    await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', '/ranges', more)
  },
  'a question that is malformed is refused': async (db) => {
    await db.create()
    const print = new Uint8Array(16)
    const wrong: readonly Packed[] = [
      [['a']],
      [['a', 'b', 1]],
      [['a', 'b', 1, new Uint8Array(15)]],
      [['a', 'b', 1, new Uint8Array(32)]],
      [['a', 'b', 1, print, 1]],
      [['a', 1]],
      [['a', 'b', 'c', print]],
      { ranges: [] },
      'x',
    ]
    for (const message of wrong) {
      const request = { type: types.message, body: pack(message) }
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'POST', '/ranges', request)
    }
  },
}
