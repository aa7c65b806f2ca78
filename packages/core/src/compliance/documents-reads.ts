import type { Document } from '../database/documents.js'
import { equalFields } from '../document/validate.js'
import { type DocumentsChecks, holds, rejects, same } from './check.js'

/** Values that JSON has no words for, and names that mean something elsewhere. */
const rich = {
  at: new Date(1_700_000_000_123),
  bytes: Uint8Array.from({ length: 300 }, (_, n) => n & 255),
  big: -(2n ** 70n),
  huge: 3n ** 5_000n,
  none: null,
  text: 'ü€😀\n"\\\u2028',
  number: 0.1 + 0.2,
  list: [[], {}, [new Date(0)], { $date: 'a member', $$x: 1, $: 2 }],
}

function protoMember(): Document {
  const document = { id: 'proto', ...rich }
  return Object.defineProperty(document, '__proto__', { value: { polluted: true }, enumerable: true })
}

export const readChecks: DocumentsChecks = {
  'every value comes back as itself': async (documents) => {
    const stored = await documents.put(protoMember() as { id: string })
    const read = await documents.get('proto')
    const { id, rev, ...members } = read!
    same([id, rev], ['proto', stored.rev])
    const { id: _, ...given } = protoMember()
    holds(equalFields(members as never, given as never), `found ${Object.keys(members).join()}`)
    holds(Object.hasOwn(read!, '__proto__'), '__proto__ is a member like any other')
    holds(!('polluted' in ({} as object)), 'nothing else has it')
  },
  'ids are any text': async (documents) => {
    const ids = [
      'a/b',
      '/',
      '//x/',
      'a b?c#d',
      '%2F%',
      'ü/€/😀',
      '...',
      'a/../b',
      '+&=;',
      '"',
      "'",
      'x'.repeat(1_024),
    ]
    for (const id of ids) await documents.put({ id, own: id })
    for (const id of ids) same((await documents.get(id))?.own, id, id)
    for (const id of ids) holds((await documents.delete(id))?.id === id, `delete ${id}`)
    same(await documents.count(), 0)
  },
  'what is not there is undefined': async (documents) => {
    same(await documents.get('never'), undefined)
    const read = await documents.read('never')
    same([read.doc, read.current, read.deleted, read.conflicts], [undefined, true, false, []])
  },
  'a read tells how current it is': async (documents) => {
    const stored = await documents.put({ id: 'a', n: 1 })
    const read = await documents.read<{ n: number }>('a')
    same(
      [read.doc?.n, read.doc?.rev, read.current, read.deleted, read.conflicts],
      [1, stored.rev, true, false, []],
    )
    holds(read.asOf instanceof Date, 'asOf')
    await documents.delete('a')
    const gone = await documents.read('a')
    same([gone.doc, gone.current, gone.deleted], [undefined, true, true])
  },
  'an older revision is read by its rev': async (documents) => {
    const first = await documents.put({ id: 'a', n: 1 })
    await documents.put({ ...first, n: 2 })
    same((await documents.get('a', { rev: first.rev }))?.n, 1)
    same(await documents.get('a', { rev: `1-${'0'.repeat(32)}` }), undefined)
    await rejects(documents.get('a', { rev: 'no rev' }), 'MYNAH_DOCUMENT_INVALID')
  },
  'getMany answers in order, also twice, and undefined for what is not there': async (documents) => {
    await documents.putMany(Array.from({ length: 20 }, (_, n) => ({ id: `d${n}`, n })))
    const found = await documents.getMany(['d3', 'no', 'd19', 'd3'])
    same(
      found.map((doc) => doc?.n),
      [3, undefined, 19, 3],
    )
    await rejects(documents.getMany(['d3', '']), 'MYNAH_DOCUMENT_INVALID')
  },
  'what is handed out is a copy': async (documents) => {
    const stored = await documents.put({ id: 'a', list: [1] })
    stored.list.push(2)
    const read = await documents.get<{ list: number[] }>('a')
    read!.list.push(3)
    same((await documents.get('a'))?.list, [1])
  },
  'a signal that is aborted ends a call with its reason': async (documents) => {
    await documents.put({ id: 'a' })
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    const calls = [
      () => documents.get('a', { signal }),
      () => documents.put({ id: 'b' }, { signal }),
      () => documents.putMany([{ id: 'c' }], { signal }),
      () => documents.update('a', () => ({ n: 1 }), { signal }),
      async () => {
        for await (const _ of documents.list({ signal }));
      },
      async () => {
        for await (const _ of documents.changes({ signal }));
      },
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      holds(error === reason, `expected the reason, found ${String(error)}`)
    }
    same(await documents.count(), 1)
  },
  'after close everything is a ClosedError': async (documents) => {
    await documents.put({ id: 'a' })
    await documents.close()
    await rejects(documents.get('a'), 'MYNAH_CLOSED')
    await rejects(documents.put({ id: 'b' }), 'MYNAH_CLOSED')
    await rejects(documents.putMany([{ id: 'b' }]), 'MYNAH_CLOSED')
    await rejects(documents.delete('a'), 'MYNAH_CLOSED')
    await rejects(documents.getMany(['a']), 'MYNAH_CLOSED')
    await rejects(documents.count(), 'MYNAH_CLOSED')
    await rejects(documents.list()[Symbol.asyncIterator]().next(), 'MYNAH_CLOSED')
    await rejects(documents.changes()[Symbol.asyncIterator]().next(), 'MYNAH_CLOSED')
    await documents.close()
  },
}
