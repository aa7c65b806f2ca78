import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConflictError, type Database, type Document, open } from '../../src/index.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-model-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const id = fc.constantFrom('a', 'b', 'c/1', 'c/2', 'ä', '😀')
const body = fc.record(
  {
    n: fc.integer(),
    x: fc.double({ noNaN: true, noDefaultInfinity: true }),
    t: fc.string({ unit: 'grapheme' }),
  },
  { requiredKeys: ['n'] },
)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), id, body, stale: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('overwrite' as const), id, body }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), id }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'seal' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('many' as const), ids: fc.uniqueArray(id), body }) },
)

/** What the database must be: documents by id, as plain values. */
type Model = Map<string, Document>

async function check(db: Database, model: Model): Promise<void> {
  const live = [...model.keys()]
  expect(await db.count()).toBe(live.length)
  const listed: string[] = []
  for await (const doc of db.list()) {
    expect(doc).toEqual(model.get(doc.id))
    listed.push(doc.id)
  }
  expect(listed.toSorted()).toEqual(live.toSorted())
  const changed: string[] = []
  for await (const change of db.changes({ documents: true })) {
    expect(change.deleted).toBe(!model.has(change.id))
    if (!change.deleted) expect(change.doc).toEqual(model.get(change.id))
    changed.push(change.id)
  }
  expect(new Set(changed).size).toBe(changed.length)
  expect(changed).toEqual(expect.arrayContaining(live))
}

test('a database does what a map of documents does, through seals and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const at = join(folder, crypto.randomUUID())
      const options = { shardBytes: 400, cacheBytes: 2_000 }
      let db = await open(at, options)
      const model: Model = new Map()
      let old: Document | undefined
      for (const one of steps) {
        if (one.kind === 'seal') await db.seal()
        else if (one.kind === 'reopen') {
          await db.close()
          db = await open(at, options)
        } else if (one.kind === 'delete') {
          const gone = await db.delete(one.id)
          expect(gone === undefined).toBe(!model.delete(one.id))
        } else if (one.kind === 'overwrite') {
          model.set(one.id, await db.put({ id: one.id, ...one.body }, { overwrite: true }))
        } else if (one.kind === 'many') {
          const docs = one.ids.map((name) => ({ ...model.get(name), ...one.body, id: name }))
          for (const outcome of await db.putMany<Document>(docs)) {
            if (!outcome.ok) throw outcome.error
            model.set(outcome.doc.id, outcome.doc)
          }
        } else {
          const current = model.get(one.id)
          const rev = (one.stale && old?.id === one.id ? old : current)?.rev
          const put = db.put<Document>({ id: one.id, ...one.body, ...(rev !== undefined && { rev }) })
          const result = await put.catch((error: unknown) => error)
          if (result instanceof ConflictError) expect(rev).not.toBe(current?.rev)
          else if (result instanceof Error) throw result
          else model.set(one.id, result as Document)
          old = current
        }
        const name = 'id' in one ? one.id : 'a'
        expect(await db.get(name)).toEqual(model.get(name))
      }
      await check(db, model)
      expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
      await db.close()
      db = await open(at, options)
      await check(db, model)
      await db.close()
    }),
    { numRuns: 30 },
  )
})
