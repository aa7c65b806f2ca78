import { compareUtf8 } from '../bytes/compare.js'
import type { Replica } from '../database/replica.js'
import { holds, type ReplicaChecks, same } from './check.js'
import { feedOf, nextOf, revision } from './revisions.js'

/** Ids below some prefixes, in no order, that in UTF-16 would come in another. */
const all = Array.from(
  { length: 60 },
  (_, n) => `${['b/', 'a/', 'c/', '\u{1f600}', '\ufb00'][n % 5]}${(n * 7) % 60}`,
)
const prefixes = ['\ufb00', 'a/', '\u{1f600}', 'a/1']

function wanted(ids: readonly string[] = all): string[] {
  return ids.filter((id) => !id.startsWith('b/') && !id.startsWith('c/')).sort(compareUtf8)
}

function idsOf(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id)
}

async function fill(replica: Replica): Promise<void> {
  await replica.merge(all.map((id, n) => revision(id, n)))
}

async function change(replica: Replica, id: string, value: number): Promise<void> {
  const [parent] = await replica.leaves(id)
  await replica.merge([revision(id, value, parent && { parent })])
}

export const partChecks: ReplicaChecks = {
  'the feed of a part tells the ids of some prefixes, in their order, in pages of any size': async (
    replica,
  ) => {
    await fill(replica)
    for (const bytes of [1, 300, 100_000])
      same(idsOf(await feedOf(replica, { prefixes, bytes })), wanted(), `pages of ${bytes} bytes`)
    const none = await replica.feed({ since: 0, bodies: false, prefixes: ['none'] })
    same([none.records, none.more, none.position], [[], false, replica.position()])
    same(idsOf(await feedOf(replica, { prefixes: [] })), [])
    same(idsOf(await feedOf(replica, { prefixes: [''] })), [...all].sort(compareUtf8))
  },
  'ids of other prefixes are left out': async (replica) => {
    await fill(replica)
    const rest = all.filter((id) => !wanted().includes(id)).sort(compareUtf8)
    same(idsOf(await feedOf(replica, { without: prefixes, bytes: 1 })), rest)
    same(idsOf(await feedOf(replica, { prefixes, without: prefixes })), [])
    same(
      idsOf(await feedOf(replica, { prefixes: ['a/'], without: ['a/1', 'b'] })),
      wanted().filter((id) => id.startsWith('a/') && !id.startsWith('a/1')),
    )
  },
  'a page of a part that ends within it says where, and covers nothing until the end': async (replica) => {
    await fill(replica)
    const { seq } = replica.position()
    const page = await replica.feed({ since: 0, bodies: false, prefixes, bytes: 1 })
    same([page.more, page.after, page.position.seq], [true, wanted()[0], seq])
    const rest = await feedOf(replica, { ...nextOf(page, 0), prefixes, bytes: 1 })
    same(idsOf(rest), wanted().slice(1))
    same(idsOf(await feedOf(replica, { prefixes, since: seq })), [])
  },
  'what changes while a part is read is told, by this feed or by the next one': async (replica) => {
    await fill(replica)
    const page = await replica.feed({ since: 0, bodies: true, prefixes, bytes: 1 })
    const [told, last] = [page.after!, wanted().at(-1)!]
    await change(replica, told, 1_000)
    await change(replica, last, 1_001)
    await change(replica, 'a/new', 1_002)
    await change(replica, 'b/1', 1_003)
    const next = nextOf(page, 0)
    let at = await replica.feed({ bodies: true, ...next, prefixes, bytes: 1 })
    const rest = idsOf(at.records)
    while (at.after !== undefined) {
      at = await replica.feed({ bodies: true, ...nextOf(at, 0), prefixes, bytes: 1 })
      rest.push(...idsOf(at.records))
    }
    same(rest, [...wanted(), 'a/new'].filter((id) => id !== told).sort(compareUtf8), 'the rest')
    same(at.position, page.position, 'the end')
    holds(at.more, 'there is more since the feed was begun')
    const again = await replica.feed({ since: at.position.seq, bodies: true, prefixes })
    same(idsOf(again.records), [told, last, 'a/new'].sort(compareUtf8), 'the next feed')
    same([again.more, again.position], [false, replica.position()])
  },
  'a feed of a part goes on where it was after the database was closed': async (replica, reopen) => {
    await fill(replica)
    const page = await replica.feed({ since: 0, bodies: true, prefixes, bytes: 1 })
    const again = await reopen()
    holds(again.holds(page.position), 'the end of the feed does not hold')
    await change(again, page.after!, 1_000)
    const rest = await feedOf(again, { ...nextOf(page, 0), prefixes, bytes: 100 })
    same([...new Set(idsOf(rest))].sort(compareUtf8), wanted())
  },
  'paths of a part go back to what was told before it was begun': async (replica) => {
    await fill(replica)
    const { seq } = replica.position()
    const [first, second] = wanted() as [string, string]
    for (const value of [1, 2]) for (const id of [first, second]) await change(replica, id, 1_000 + value)
    const page = await replica.feed({ since: seq, bodies: false, prefixes, bytes: 1 })
    const rest = await feedOf(replica, { ...nextOf(page, seq), prefixes, bytes: 1 })
    same(idsOf(rest), [second])
    same([page.records[0]?.path.length, rest[0]?.path.length], [2, 2])
  },
}
