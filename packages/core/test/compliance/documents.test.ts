import { expect, test } from 'vitest'
import { documentsCompliance } from '../../src/compliance.js'
import { type Documents, open } from '../../src/index.js'

const subject = async () => {
  const documents = await open(':memory:')
  return { documents, close: () => documents.close() }
}

for (const { name, run } of documentsCompliance(subject)) test(`documents: ${name}`, run)

/** Documents that do one thing wrong. */
const broken: readonly ((documents: Documents) => Partial<Documents>)[] = [
  (documents) => ({ put: (doc, options) => documents.put(doc, { ...options, overwrite: true }) }),
  (documents) => ({ count: async () => (await documents.count()) + 1 }),
  (documents) => ({ list: (range) => documents.list({ ...range, reverse: false }) }),
  (documents) => ({ delete: (target) => documents.delete(typeof target === 'string' ? target : target.id) }),
  (documents) => ({ changes: ({ since: _, ...options } = {}) => documents.changes(options) }),
  (documents) => ({ getMany: (ids) => documents.getMany([...ids].reverse()) }),
  (documents) => ({
    read: async (id, options) => ({ ...(await documents.read(id, options)), deleted: false }),
  }),
  () => ({ close: async () => undefined }),
]

test('each of these broken databases fails a check', async () => {
  for (const fault of broken) {
    const failed: string[] = []
    const make = async () => {
      const documents = await open(':memory:')
      const wrong = fault(documents)
      const proxy = new Proxy(documents as Documents, {
        get(target, name) {
          const own = Reflect.get(wrong, name) as unknown
          const member = own ?? (Reflect.get(target, name) as unknown)
          return typeof member === 'function' ? member.bind(target) : member
        },
      })
      return { documents: proxy, close: () => documents.close() }
    }
    for (const { name, run } of documentsCompliance(make)) await run().catch(() => failed.push(name))
    expect(failed, String(fault)).not.toEqual([])
  }
})
