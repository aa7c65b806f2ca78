import { REMOVE } from '../database/documents.js'
import { type DocumentsChecks, rejects, same } from './check.js'

/** A call as a program without types would make it. */
type Untyped = (...given: readonly unknown[]) => Promise<unknown>

const noSignal = [5, 'x', {}, null]
const noText = [5, null, {}, '\ud800']
const noCount = [-1, 1.5, Number.NaN, '5', null, 5n]
const noFlag = [0, 'true', null]

/** @throws Error when it does not throw TypeError or RangeError that names what is wrong */
async function refuses(name: string, call: () => unknown): Promise<void> {
  let result: unknown
  try {
    result = await call()
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      for await (const _ of result as AsyncIterable<unknown>) break
  } catch (error) {
    const isTold = (error instanceof TypeError || error instanceof RangeError) && error.message.includes(name)
    if (isTold) return
    throw new Error(`expected what is wrong with ${name}, found ${String(error)}`, { cause: error })
  }
  throw new Error(`expected that ${name} is refused, but it succeeded`)
}

/** What TypeScript does not let through, and a program without it may pass. */
export const argumentChecks: DocumentsChecks = {
  'what is no id is refused': async (documents) => {
    for (const id of [undefined, null, 5, '', {}, [], Symbol('a'), true, 10n, Number.NaN, '_a', '\ud800']) {
      for (const name of ['get', 'read', 'delete'] as const)
        await rejects((documents[name] as Untyped).call(documents, id), 'MYNAH_DOCUMENT_INVALID')
      const update = documents.update as Untyped
      await rejects(
        update.call(documents, id, () => ({})),
        'MYNAH_DOCUMENT_INVALID',
      )
      await rejects((documents.getMany as Untyped).call(documents, [id]), 'MYNAH_DOCUMENT_INVALID')
    }
    same(await documents.count(), 0)
  },
  'wrong options of reads are refused': async (documents) => {
    await documents.put({ id: 'a' })
    const wrong = {
      freshness: ['mirrors', 5, null],
      waitMs: [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5', null],
      strict: noFlag,
      signal: noSignal,
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        for (const read of [documents.get, documents.read] as unknown as Untyped[])
          await refuses(name, () => read.call(documents, 'a', { [name]: value }))
        await refuses(name, () => (documents.getMany as Untyped).call(documents, ['a'], { [name]: value }))
      }
    }
    for (const options of [null, 5, 'local', () => ({})])
      await refuses('options', () => (documents.get as Untyped).call(documents, 'a', options))
  },
  'wrong options of scans are refused': async (documents) => {
    await documents.putMany([{ id: 'a' }, { id: 'b' }])
    const bounds = { prefix: noText, limit: noCount, signal: noSignal }
    const list = {
      ...bounds,
      gt: noText,
      gte: noText,
      lt: noText,
      lte: noText,
      reverse: noFlag,
      missing: ['all'],
    }
    const changes = { ...bounds, since: [5, null, {}], live: noFlag, documents: noFlag }
    for (const [call, wrong] of [
      [documents.list, list],
      [documents.changes, changes],
    ] as const) {
      for (const [name, values] of Object.entries(wrong)) {
        for (const value of values)
          await refuses(name, () => (call as unknown as Untyped).call(documents, { [name]: value }))
      }
    }
  },
  'several of something is an iterable, and no text': async (documents) => {
    for (const value of [undefined, null, 5, 'abc', {}, () => [], true]) {
      await refuses('ids', () => (documents.getMany as Untyped).call(documents, value))
      await refuses('docs', () => (documents.putMany as Untyped).call(documents, value))
    }
    same(await documents.count(), 0)
    same((await documents.getMany(new Set(['a', 'b']))).length, 2)
    const outcomes = await (documents.putMany as Untyped).call(documents, [null, { id: 'a' }, 5])
    same(
      (outcomes as readonly { readonly ok: boolean }[]).map(({ ok }) => ok),
      [false, true, false],
    )
  },
  'wrong arguments of writes are refused, and change nothing': async (documents) => {
    const stored = await documents.put({ id: 'a', n: 1 })
    for (const overwrite of noFlag)
      await refuses('overwrite', () => (documents.put as Untyped).call(documents, { id: 'a' }, { overwrite }))
    for (const signal of noSignal)
      await refuses('signal', () => (documents.put as Untyped).call(documents, { id: 'b' }, { signal }))
    for (const change of [undefined, null, 5, {}, REMOVE])
      await refuses('change', () => (documents.update as Untyped).call(documents, 'a', change))
    same(await documents.get('a'), stored)
    same(await documents.count(), 1)
  },
}
