import { holds, type ReplicaChecks, same } from './check.js'
import { feedOf, revision, told, tree } from './revisions.js'

const COUNT = 40

/** Documents, some of which changed again. */
async function fill(replica: Parameters<typeof feedOf>[0]): Promise<string[]> {
  const first = Array.from({ length: COUNT }, (_, n) => revision(`doc-${n}`, n))
  await replica.merge(first)
  const changed = first.filter((_, n) => n % 7 === 3)
  for (const parent of changed) await replica.merge([revision(parent.id, 'changed', { parent })])
  return [...first.filter((record) => !changed.includes(record)), ...changed].map(({ id }) => id)
}

export const feedChecks: ReplicaChecks = {
  'the feed tells each document once, in the order of their newest changes': async (replica) => {
    const ids = await fill(replica)
    const records = await feedOf(replica)
    same(
      records.map(({ id }) => id),
      ids,
    )
    for (const { id, path } of records) same(path.length, Number(id.slice(4)) % 7 === 3 ? 1 : 0, id)
  },
  'pages of any size tell the same': async (replica) => {
    const ids = await fill(replica)
    for (const bytes of [1, 200, 1_000]) {
      const records = await feedOf(replica, { bytes })
      same(
        records.map(({ id }) => id),
        ids,
        `pages of ${bytes} bytes`,
      )
    }
  },
  'a page names the place up to which it tells all': async (replica) => {
    const ids = await fill(replica)
    const page = await replica.feed({ since: 0, bodies: false, bytes: 1 })
    holds(page.more && page.records.length > 0, 'a first page of at least one document, and more')
    holds(replica.holds(page.position), 'the position of a page does not hold')
    const rest = await feedOf(replica, { since: page.position.seq })
    same(
      [...page.records, ...rest].map(({ id }) => id),
      ids,
    )
    const end = await replica.feed({ since: 0, bodies: false })
    same([end.more, end.position], [false, replica.position()], 'the last page')
    same((await replica.feed({ since: end.position.seq, bodies: true })).records, [], 'after the last page')
  },
  'a document that changes while the feed is read is told at its newest place': async (replica) => {
    const ids = await fill(replica)
    const page = await replica.feed({ since: 0, bodies: true, bytes: 1 })
    const [told, waiting] = [page.records[0]!, ids.at(-1)!]
    await replica.merge([revision(told.id, 'later', { parent: told })])
    const [other] = await replica.leaves(waiting)
    await replica.merge([revision(waiting, 'later', { parent: other! })])
    const rest = (await feedOf(replica, { since: page.position.seq, bytes: 1 })).map(({ id }) => id)
    same(rest.slice(-2), [told.id, waiting])
    same([...new Set([...page.records.map(({ id }) => id), ...rest])].length, ids.length, 'documents')
    same(rest.length, new Set(rest).size, 'documents after the first page')
  },
  'a document comes with all its leaves, and these with their bodies where held': async (replica) => {
    const { records, leaves } = tree('a')
    await replica.merge([...records, revision('b', 1)])
    const found = (await feedOf(replica, { bytes: 1 })).filter(({ id }) => id === 'a')
    same(found.map(told).sort(), leaves.map(told).sort())
    for (const { rev, path } of found)
      same(path, leaves.find((leaf) => leaf.rev === rev)?.path, `path of ${rev}`)
  },
  'without bodies all are stubs': async (replica) => {
    await fill(replica)
    for (const { kind, body } of await feedOf(replica, { bodies: false }))
      same([kind, body === undefined], ['stub', true])
  },
  'a known leaf takes no new place': async (replica) => {
    const { records } = tree('a')
    await replica.merge(records)
    const { seq } = replica.position()
    await replica.merge(records)
    same(await feedOf(replica, { since: seq }), [])
  },
  'paths reach back to what was told before, or are whole when asked': async (replica) => {
    const root = revision('a', 0)
    const child = revision('a', 1, { parent: root })
    await replica.merge([root, child])
    const { seq } = replica.position()
    const leaf = revision('a', 3, { parent: revision('a', 2, { parent: child }) })
    await replica.merge([leaf])
    const [cut] = await feedOf(replica, { since: seq })
    holds(cut?.path.includes(child.rev) === true, 'the path does not reach the revision that was told before')
    const [whole] = await feedOf(replica, { since: seq, whole: true })
    same(whole?.path, leaf.path, 'the whole path')
  },
  'listeners hear of each merge, with a place that is durable, until they stop': async (replica) => {
    const heard: number[] = []
    const stop = replica.onCommit((position) => {
      holds(replica.holds(position), 'the position that was told does not hold')
      heard.push(position.seq)
    })
    const { position } = await replica.merge([revision('a', 1)])
    holds(heard.includes(position.seq), `heard of ${heard.join()}, not of ${position.seq}`)
    stop()
    const before = heard.length
    await replica.merge([revision('b', 1)])
    same(heard.length, before, 'calls after stopping')
  },
}
