import { type Document, REMOVE } from '../database/documents.js'
import { ConflictError, type DocumentInvalidError } from '../errors.js'
import { type DocumentsChecks, holds, rejects, same } from './check.js'

const AT_ONCE = 12

export const writeChecks: DocumentsChecks = {
  'a put gives a copy with id and rev': async (documents) => {
    const given = { id: 'a', n: 1, list: [1, { deep: true }] }
    const stored = await documents.put(given)
    holds(/^1-[0-9a-f]{32}$/.test(stored.rev), `the rev of a new document: ${stored.rev}`)
    same([stored.id, stored.n, stored.list], ['a', 1, [1, { deep: true }]])
    holds(stored.list !== given.list, 'what was given is shared')
  },
  'a document without an id gets a UUIDv7': async (documents) => {
    const { id } = await documents.put({ n: 1 })
    holds(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id)
    same((await documents.get(id))?.n, 1)
  },
  'a put names the rev that it read': async (documents) => {
    const first = await documents.put({ id: 'a', n: 1 })
    const second = await documents.put({ ...first, n: 2 })
    const error = await rejects(documents.put({ ...first, n: 3 }), 'MYNAH_CONFLICT')
    holds(error instanceof ConflictError && error.id === 'a', 'a ConflictError with the id')
    same((error as ConflictError).rev, second.rev, 'the rev of the conflict')
    await rejects(documents.put({ id: 'a', n: 4 }), 'MYNAH_CONFLICT')
    await rejects(documents.put({ id: 'b', rev: first.rev, n: 5 }), 'MYNAH_CONFLICT')
    same((await documents.get('a'))?.n, 2)
  },
  'overwrite needs no rev': async (documents) => {
    await documents.put({ id: 'a', n: 1 }, { overwrite: true })
    const second = await documents.put({ id: 'a', n: 2 }, { overwrite: true })
    holds(second.rev.startsWith('2-'), second.rev)
    same((await documents.get('a'))?.n, 2)
  },
  'a put that was done already, or changes nothing, is no new revision': async (documents) => {
    const first = await documents.put({ id: 'a', n: 1 })
    same((await documents.put({ id: 'a', n: 1 })).rev, first.rev, 'a repeated first put')
    same((await documents.put({ ...first })).rev, first.rev, 'a put of the same')
    const second = await documents.put({ ...first, n: 2 })
    same((await documents.put({ ...first, n: 2 })).rev, second.rev, 'a repeated edit')
  },
  'putMany gives one outcome each, in order': async (documents) => {
    await documents.put({ id: 'taken', n: 0 })
    const docs = [
      { id: 'a', n: 1 },
      { id: 'taken', n: 2 },
      { id: '_bad', n: 3 },
      { id: 'b', n: 4 },
    ]
    const outcomes = await documents.putMany(docs)
    const told = outcomes.map((one) => (one.ok ? one.doc.id : one.error.code))
    same(told, ['a', 'MYNAH_CONFLICT', 'MYNAH_DOCUMENT_INVALID', 'b'])
    same(await documents.count(), 3)
    same(await documents.putMany([]), [])
  },
  'updates at the same time all count': async (documents) => {
    await documents.put({ id: 'a', n: 0 })
    const add = () => documents.update<{ n: number }>('a', (doc) => ({ ...doc!, n: doc!.n + 1 }))
    await Promise.all(Array.from({ length: AT_ONCE }, add))
    same((await documents.get('a'))?.n, AT_ONCE)
  },
  'updates at the same time of a document that is not there yet all count': async (documents) => {
    const add = () => documents.update<{ n: number }>('a', (doc) => ({ n: (doc?.n ?? 0) + 1 }))
    await Promise.all(Array.from({ length: AT_ONCE }, add))
    same((await documents.get('a'))?.n, AT_ONCE)
  },
  'an update to what is no document is refused, and a delete that names none': async (documents) => {
    const made = await documents.put({ id: 'a', n: 1 })
    for (const wrong of [null, 5, 'text', [1], new Map([['n', 2]]), new Date(0)])
      await rejects(
        documents.update('a', () => wrong as never),
        'MYNAH_DOCUMENT_INVALID',
      )
    for (const wrong of [null, undefined, 5, {}, { id: 'a' }])
      await rejects(documents.delete(wrong as never), 'MYNAH_DOCUMENT_INVALID')
    same(await documents.get('a'), made)
  },
  'an update creates, leaves alone and removes': async (documents) => {
    const made = await documents.update('a', (doc) => ({ was: doc === undefined }))
    same([made?.id, made?.was], ['a', true])
    const same_ = await documents.update('a', () => undefined)
    same(same_?.rev, made?.rev)
    same(await documents.update('a', () => REMOVE), undefined)
    same(await documents.get('a'), undefined)
    same(await documents.update('never', () => REMOVE), undefined)
    await rejects(
      documents.update('a', () => ({ id: 'b' })),
      'MYNAH_DOCUMENT_INVALID',
    )
  },
  'what an update is given is frozen': async (documents) => {
    await documents.put({ id: 'a', list: [1] })
    const seen: boolean[] = []
    await documents.update('a', (doc) => {
      seen.push(Object.isFrozen(doc), Object.isFrozen(doc?.list))
      return undefined
    })
    same(seen, [true, true])
  },
  'a delete is by id, or by exactly that revision': async (documents) => {
    const first = await documents.put({ id: 'a', n: 1 })
    const second = await documents.put({ ...first, n: 2 })
    await rejects(documents.delete({ id: 'a', rev: first.rev }), 'MYNAH_CONFLICT')
    const tombstone = await documents.delete({ id: 'a', rev: second.rev })
    same([tombstone?.id, tombstone?.rev.startsWith('3-')], ['a', true])
    same(await documents.get('a'), undefined)
    same(await documents.delete({ id: 'a', rev: second.rev }), tombstone, 'once more')
    same(await documents.delete('a'), undefined, 'a deleted one')
    same(await documents.delete('never'), undefined)
    await documents.put({ id: 'b' })
    holds((await documents.delete('b')) !== undefined, 'by id')
    same(await documents.count(), 0)
  },
  'a put on a deleted document makes it anew': async (documents) => {
    await documents.put({ id: 'a', n: 1 })
    await documents.delete('a')
    const again = await documents.put({ id: 'a', n: 2 })
    holds(again.rev.startsWith('3-'), again.rev)
    same((await documents.get('a'))?.n, 2)
  },
  'what cannot be stored is refused and changes nothing': async (documents) => {
    const bad: Document[] = [
      { id: '' },
      { id: 'x'.repeat(1_025) },
      { id: '_x' },
      { id: 'a\u0000' },
      { id: 'a', n: Number.NaN },
      { id: 'a', at: new Date(Number.NaN) },
      { id: 'a', text: '\ud800' },
      { id: 'a', rev: 'no rev' },
      { id: 'a', call: (() => 1) as never },
      { id: 'a', map: new Map() as never },
    ]
    for (const doc of bad) await rejects(documents.put(doc), 'MYNAH_DOCUMENT_INVALID')
    const error = await rejects(documents.put({ id: 'a', x: [{ y: Number.NaN }] }), 'MYNAH_DOCUMENT_INVALID')
    same((error as DocumentInvalidError).path, 'x[0].y')
    same(await documents.count(), 0)
  },
}
