import type { Change, ChangesOptions, Documents, ListOptions } from '../database/documents.js'
import { type DocumentsChecks, holds, rejects, same } from './check.js'

/** More than any page. */
const MANY = 1_200

async function listed(documents: Documents, range?: ListOptions): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of documents.list(range)) ids.push(id)
  return ids
}

async function changed(documents: Documents, options?: ChangesOptions): Promise<Change[]> {
  const changes: Change[] = []
  for await (const change of documents.changes(options)) changes.push(change)
  return changes
}

export const scanChecks: DocumentsChecks = {
  'a list is in order of UTF-8 bytes, within its bounds': async (documents) => {
    const ids = ['a', 'ab', 'b', 'b/1', 'z', 'é', '\uffee', '😀']
    for (const id of ids.toReversed()) await documents.put({ id })
    await documents.put({ id: 'c' })
    await documents.delete('c')
    same(await listed(documents), ids)
    same(await listed(documents, { reverse: true }), ids.toReversed())
    same(await listed(documents, { prefix: 'b' }), ['b', 'b/1'])
    same(await listed(documents, { gt: 'a', lte: 'b' }), ['ab', 'b'])
    same(await listed(documents, { gte: 'a', lt: 'b', reverse: true }), ['ab', 'a'])
    same(await listed(documents, { limit: 3 }), ids.slice(0, 3))
    same(await listed(documents, { limit: 2, reverse: true }), ids.slice(-2).toReversed())
    same(await listed(documents, { limit: 0 }), [])
    same(await documents.count(), ids.length)
  },
  'a list of many is whole': async (documents) => {
    const ids = Array.from({ length: MANY }, (_, n) => `d${String(n).padStart(5, '0')}`)
    await documents.putMany(ids.map((id, n) => ({ id, n })))
    same((await listed(documents)).join(), ids.join())
    same((await listed(documents, { reverse: true, gte: ids[100]! })).length, MANY - 100)
    same((await listed(documents, { limit: 1_001 })).length, 1_001)
    same(await documents.count(), MANY)
  },
  'changes tell each document once, at its newest change': async (documents) => {
    const first = await documents.put({ id: 'a', n: 1 })
    await documents.put({ id: 'b', n: 1 })
    await documents.put({ ...first, n: 2 })
    await documents.delete('b')
    const changes = await changed(documents)
    same(
      changes.map(({ id, deleted }) => [id, deleted]),
      [
        ['a', false],
        ['b', true],
      ],
    )
    same(
      changes.map(({ rev, conflicts }) => [rev.slice(0, 2), conflicts]),
      [
        ['2-', []],
        ['2-', []],
      ],
    )
    holds(changes[0]!.seq < changes[1]!.seq, 'in order of seq')
    holds(!('doc' in changes[0]!), 'without documents unless asked')
    same((await changed(documents, { documents: true }))[0]?.doc?.n, 2)
  },
  'changes go on from a cursor': async (documents) => {
    for (let n = 0; n < 10; n++) await documents.put({ id: `${n % 2 ? 'odd' : 'even'}/${n}` })
    const all = await changed(documents)
    const { cursor } = all[3]!
    same(
      (await changed(documents, { since: cursor })).map(({ id }) => id),
      all.slice(4).map(({ id }) => id),
    )
    same((await changed(documents, { prefix: 'odd/' })).length, 5)
    same((await changed(documents, { limit: 2 })).length, 2)
    same(await changed(documents, { since: 'now' }), [])
    const foreign = cursor.replace(/^[0-9a-f]+/, (id) => '0'.repeat(id.length))
    await rejects(changed(documents, { since: foreign }), 'MYNAH_CURSOR_LOST')
    await rejects(changed(documents, { since: 'no cursor' }), 'MYNAH_CURSOR_LOST')
  },
  'live changes come as they are made, until the signal': async (documents) => {
    await documents.put({ id: 'before' })
    const over = new AbortController()
    const reason = new Error('enough')
    const seen: string[] = []
    const following = (async () => {
      for await (const { id } of documents.changes({ live: true, signal: over.signal })) {
        seen.push(id)
        if (id === 'before') await documents.put({ id: 'during' })
        if (id === 'during') over.abort(reason)
      }
    })()
    const end = await following.catch((error: unknown) => error)
    same(seen, ['before', 'during'])
    holds(end === reason, `ended with ${String(end)}`)
  },
}
