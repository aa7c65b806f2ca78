import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HeldAnswer, LogRecord } from '@mynah/core/replica'
import { type MirrorCheck, type MirrorSubject, mirrorCompliance } from '@mynah/replication/compliance'
import {
  type DatabaseInfo,
  decodeAskedRanges,
  decodeHeld,
  decodeInfo,
  decodeLeaves,
  decodeMissing,
  decodePushAnswer,
  decodeShardsAnswer,
  decodeToldRanges,
  encodeHeld,
  encodeInfo,
  encodeMissing,
  encodePushAnswer,
  encodeShardsAnswer,
  encodeToldRanges,
  headers as names,
  type PushAnswer,
  positionText,
  type ToldRange,
} from '@mynah/replication/protocol'
import { beforeAll, describe, expect, test } from 'vitest'
import { createMirror } from '../src/index.js'
import { temporaryFolder } from './fixture.js'
import {
  type Answered,
  type Fault,
  inAnswers,
  inRequests,
  type Passed,
  startWrongMirror,
  withRecords,
} from './wrong-mirror.js'

const token = 'secret'

const pushAnswers = (change: (answer: PushAnswer) => PushAnswer): Fault =>
  inAnswers('POST', 'records', (answered) => {
    answered.body = Buffer.from(encodePushAnswer(change(decodePushAnswer(answered.body))))
  })
const pulled = (change: (records: readonly LogRecord[]) => readonly LogRecord[]): Fault =>
  inAnswers('GET', 'records', (answered) => withRecords(answered, change))
const pushed = (change: (records: readonly LogRecord[]) => readonly LogRecord[]): Fault =>
  inRequests('POST', 'records', (request) => withRecords(request, change))
const pulls = (change: (query: URLSearchParams) => void): Fault =>
  inRequests('GET', 'records', ({ query }) => change(query))
const infos = (change: (info: DatabaseInfo) => DatabaseInfo): Fault =>
  inAnswers('GET', '', (answered) => {
    answered.body = Buffer.from(encodeInfo(change(decodeInfo(answered.body.toString()))))
  })
const countOf = ({ body }: Passed) => decodeLeaves(body).length
const missing = (answer: boolean): Fault =>
  inAnswers('POST', 'records/missing', (answered, request) => {
    const told = decodeMissing(answered.body, countOf(request))
    answered.body = Buffer.from(encodeMissing(told.map(() => answer)))
  })
const ranges = (change: (told: ToldRange) => ToldRange): Fault =>
  inAnswers('POST', 'ranges', (answered, request) => {
    const told = decodeToldRanges(answered.body, decodeAskedRanges(request.body))
    answered.body = Buffer.from(encodeToldRanges({ ...told, ranges: told.ranges.map(change) }))
  })
const refusals =
  (change: (answered: Answered, request: Passed) => void): Fault =>
  async (request, forward) => {
    const answered = await forward(request)
    if (answered.status >= 400) change(answered, request)
    return answered
  }
const winners = (records: readonly LogRecord[]) =>
  records.filter((record, i) => records.findIndex(({ id }) => id === record.id) === i)
const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))

const heldAs = (change: (told: HeldAnswer) => HeldAnswer): Fault =>
  inAnswers('POST', 'records/held', (answered, request) => {
    answered.body = Buffer.from(encodeHeld(change(decodeHeld(answered.body, countOf(request)))))
  })

function withoutDates(record: LogRecord): LogRecord {
  const { body } = record
  if (body === undefined || body instanceof Uint8Array) return record
  const members = Object.entries(body).map(([name, value]) => [
    name,
    value instanceof Date ? value.toJSON() : value,
  ])
  return { ...record, body: Object.fromEntries(members) as typeof body }
}

/** The newest place of the database of which this is a path. */
async function newestPlace(path: string): Promise<string> {
  const url = new URL(path.split('/').slice(0, 3).join('/'), behind)
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  return positionText(decodeInfo(await response.text()).position)
}

/** A live stream that tells where it begins, and nothing more. */
function quietAfterFirst(): Fault {
  const begun = new Set<string>()
  return async (request, forward) => {
    const answered = await forward(request)
    if (!request.path.endsWith('/live')) return answered
    if (answered.body.length === 0) return answered
    if (begun.has(request.path)) answered.body = Buffer.from('\n')
    begun.add(request.path)
    return answered
  }
}

/** What is wrong, how, and the rule that finds it. */
const faults: readonly (readonly [what: string, fault: Fault, rule: string])[] = [
  [
    'drops a record and acknowledges it',
    pushed((records) => (records.length > 20 ? records.slice(1) : records)),
    'the feed tells each document once',
  ],
  [
    'forgets what belongs together',
    pushed((all) => all.map((record) => ({ ...record, continues: false }))),
    'where one of a transaction is refused',
  ],
  ['takes dates for text', pushed((all) => all.map(withoutDates)), 'every value comes back'],
  [
    'calls itself the origin',
    pushed((all) => all.map((record) => ({ ...record, origin: '0e'.repeat(16) }))),
    'the example of the page of shards',
  ],
  [
    'takes every path for whole',
    inRequests('POST', 'records', ({ query }) => query.set('whole', '1')),
    'a path that ends at a revision unknown',
  ],
  [
    'does not say what it refused',
    pushAnswers((told) => ({ ...told, exceptions: [] })),
    'a record that is refused does not hinder',
  ],
  [
    'gives refusals another place',
    pushAnswers((told) => ({
      ...told,
      exceptions: told.exceptions.map((one) => ({ ...one, index: one.index + 1 })),
    })),
    'a record that is refused does not hinder',
  ],
  [
    'says that less came before',
    pushAnswers((told) => ({ ...told, before: Math.max(0, told.before - 1) })),
    'a record that is new takes the next seq',
  ],
  [
    'counts what it knew as taken',
    pushAnswers((told) => ({ ...told, taken: told.taken + 1 })),
    'to send the same again',
  ],
  [
    'answers a push with a place that it has not reached',
    pushAnswers((told) => ({ ...told, position: { ...told.position, seq: told.position.seq + 1 } })),
    'a record that is new takes the next seq',
  ],
  [
    'leaves a document out of the feed',
    pulled((records) => records.slice(1)),
    'the feed tells each document once',
  ],
  [
    'leaves tombstones out of the feed',
    pulled((records) => records.filter(({ deleted }) => !deleted)),
    'a tombstone is a revision',
  ],
  ['tells of winners only', pulled(winners), 'two children of one revision'],
  [
    'cuts every path',
    pulled((records) => records.map((record) => ({ ...record, path: record.path.slice(0, 1) }))),
    'paths go back to a revision',
  ],
  [
    'tells a page out of order',
    pulled((records) => [...records].reverse()),
    'the feed tells each document once',
  ],
  [
    'gives every page the end of the feed',
    inAnswers('GET', 'records', async ({ headers }, { path }) => {
      headers[names.position] = await newestPlace(path)
    }),
    'since goes on where a page ended',
  ],
  [
    'says that there is no more',
    inAnswers('GET', 'records', ({ headers }) => {
      headers[names.more] = '0'
    }),
    'pages of any size tell the same',
  ],
  [
    'gives an empty page as 200',
    inAnswers('GET', 'records', (answered) => {
      answered.status = 200
    }),
    'since goes on where a page ended',
  ],
  [
    'begins anew for a place that it does not know',
    pulls((query) => query.delete('since')),
    'a position of another history',
  ],
  [
    'does not look at prefixes',
    pulls((query) => query.delete('prefix')),
    'a feed of a part of the ids tells those',
  ],
  [
    'does not look at what is to be left out',
    pulls((query) => query.delete('without')),
    'a feed of a part of the ids tells those',
  ],
  [
    'says that a part of the ids is covered before it is',
    inAnswers('GET', 'records', ({ headers }) => void delete headers[names.after]),
    'pages of such a feed have one end',
  ],
  [
    'does not say that a page tells of more than it covers',
    inAnswers('GET', 'records', ({ headers }) => void delete headers[names.newest]),
    'a page that tells of changes past',
  ],
  [
    'gives each page of a part of the ids an end of its own',
    pulls((query) => query.delete('until')),
    'what changes while such a feed is read',
  ],
  ['always sends bodies', pulls((query) => query.set('bodies', '1')), 'bodies=0 gives stubs'],
  ['never sends bodies', pulls((query) => query.set('bodies', '0')), 'bodies=0 gives stubs'],
  ['never sends whole paths', pulls((query) => query.delete('whole')), 'paths go back to a revision'],
  ['always wants everything', missing(true), 'missing is true for what is unknown'],
  ['never wants anything', missing(false), 'missing is true for what is unknown'],
  [
    'says that it holds whatever it is asked about',
    heldAs((told) => ({ ...told, held: told.held.map(() => true) })),
    'held is true for leaves',
  ],
  [
    'answers for another database',
    heldAs((told) => ({ ...told, id: '0e'.repeat(16) })),
    'held says who answers',
  ],
  [
    'fetches one leaf of a document',
    inAnswers('POST', 'records/fetch', (answered) => withRecords(answered, (records) => records.slice(0, 1))),
    'fetch of an id gives all leaves',
  ],
  [
    'fetches in another order',
    inAnswers('POST', 'records/fetch', (answered) =>
      withRecords(answered, (records) => [...records].reverse()),
    ),
    'in the order that they were asked for',
  ],
  [
    'does not say as of when',
    inAnswers('POST', 'records/fetch', ({ headers }) => {
      delete headers[names.position]
    }),
    'fetch answers at its newest place',
  ],
  ['says that all ranges are the same', ranges(() => ({ kind: 'same' })), 'and only then'],
  [
    'has a wrong fingerprint',
    ranges((told) =>
      told.kind === 'ids'
        ? { ...told, ids: told.ids.map((one, i) => (i === 3 ? { ...one, print: flip(one.print) } : one)) }
        : told,
    ),
    'ids come with prints',
  ],
  [
    'has a wrong sum',
    ranges((told) =>
      told.kind === 'parts'
        ? { ...told, parts: told.parts.map((one, i) => (i === 1 ? { ...one, print: flip(one.print) } : one)) }
        : told,
    ),
    'parts are the whole of their range',
  ],
  [
    'miscounts a part',
    ranges((told) =>
      told.kind === 'parts'
        ? { ...told, parts: told.parts.map((one, i) => (i === 1 ? { ...one, count: one.count + 1 } : one)) }
        : told,
    ),
    'parts are the whole of their range',
  ],
  [
    'leaves an id out of a range',
    ranges((told) => (told.kind === 'ids' ? { ...told, ids: told.ids.slice(1) } : told)),
    'differences are found',
  ],
  [
    'leaves out a shard of what is sealed',
    inAnswers('GET', 'shards', (answered) => {
      const { body } = answered
      if (body.length === 0) return
      const next = 8 + 4 + body.readUInt32BE(8)
      if (next < body.length) answered.body = Buffer.concat([body.subarray(0, 8), body.subarray(next)])
    }),
    'what is sealed, and the feed from there on',
  ],
  [
    'passes over the last shard that is pushed',
    inRequests('POST', 'shards', (request) => {
      const { body } = request
      let last = 8
      for (let at = 8; at < body.length; at += 4 + body.readUInt32BE(at)) last = at
      if (last > 8) request.body = body.subarray(0, last)
    }),
    'shards are taken, all records of all of them',
  ],
  [
    'says nothing of what it left',
    inAnswers('POST', 'shards', (answered) => {
      const told = decodeShardsAnswer(answered.body)
      answered.body = Buffer.from(encodeShardsAnswer({ ...told, left: [] }))
    }),
    'what cannot be taken is left',
  ],
  ['follows nothing', quietAfterFirst(), 'the live stream tells the newest place'],
  [
    'tells everybody of each commit',
    inRequests('GET', 'records/live', ({ query }) => {
      for (const name of ['prefix', 'none']) query.delete(name)
    }),
    'with none=1 the live stream',
  ],
  [
    'holds whatever position',
    infos((info) => ({ ...info, ...(info.holds && { holds: info.holds.map(() => true) }) })),
    'holds answers for each position',
  ],
  [
    'names a mirror with its token',
    infos((info) => ({ ...info, mirrors: [`http://user:secret@second.example/v1/${info.name}`] })),
    'mirrors that are named',
  ],
  [
    'counts tombstones',
    infos((info) => ({ ...info, documents: (info.documents ?? 0) + 1 })),
    'documents counts live documents',
  ],
  [
    'makes a database again',
    inAnswers('PUT', '', (answered) => {
      answered.status = 201
    }),
    'PUT :db makes a database once',
  ],
  [
    'makes a database when it is asked about',
    async (request, forward) => {
      if (request.method === 'GET')
        await forward({
          ...request,
          method: 'PUT',
          path: request.path.split('/').slice(0, 3).join('/'),
          query: new URLSearchParams(),
        })
      return await forward(request)
    },
    'asking does not make it',
  ],
  [
    'does not look at checksums',
    async (request, forward) => await forward(request),
    'a request with a checksum that is another',
  ],
  [
    'has wrong checksums itself',
    async (request, forward) => ({
      ...(await forward(request)),
      headers: { [names.checksum]: '00000000', 'cache-control': 'no-store' },
    }),
    'GET :db tells what the database is',
  ],
  [
    'lets answers be kept',
    inAnswers('GET', 'records', ({ headers }) => {
      headers['cache-control'] = 'max-age=60'
    }),
    'the feed tells each document once',
  ],
  [
    'refuses in plain text',
    refusals(({ headers }) => {
      headers['content-type'] = 'text/plain'
    }),
    'PUT :db makes a database once',
  ],
  [
    'takes what is no message',
    refusals((answered) => {
      if (answered.status === 400) Object.assign(answered, { status: 200, body: Buffer.of(0x90) })
    }),
    'a message that is none',
  ],
  [
    'has another code for a lost cursor',
    refusals((answered) => {
      if (answered.status === 410)
        answered.body = Buffer.from(answered.body.toString().replace('CURSOR_LOST', 'DOCUMENT_DELETED'))
    }),
    'a position of another history',
  ],
  [
    'looks at no token where it reads',
    async (request, forward) => {
      if (request.method === 'GET') request.headers.authorization = `Bearer ${token}`
      return await forward(request)
    },
    'without the token, or with another',
  ],
  [
    'redirects',
    async (request, forward) =>
      request.method === 'GET'
        ? { status: 307, headers: { location: request.path }, body: Buffer.alloc(0) }
        : await forward(request),
    'GET :db tells what the database is',
  ],
]

let behind = ''

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-behind-'))
  const server = await createMirror({ data: folder, token })
  behind = await server.listen({ port: 0, host: '127.0.0.1' })
  return async () => {
    // Those of the global fetch idle for longer than a test may take to end.
    server.server.closeAllConnections()
    await server.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
})

/** The one rule whose sentence has the text. */
function ruleOf(text: string, subject: MirrorSubject): MirrorCheck {
  const found = mirrorCompliance(subject).filter(({ name }) => name.includes(text))
  expect(found.map(({ name }) => name)).toHaveLength(1)
  return found[0]!
}

test('a mirror that is reached through another keeps the rules', { timeout: 120_000 }, async (context) => {
  // What this one leaves out of each request, so that nothing of it is checked twice.
  const unchecked = 'a request with a checksum that is another'
  const url = await startWrongMirror(context, behind, (request, forward) => forward(request))
  for (const text of new Set(faults.map(([, , rule]) => rule))) {
    if (text !== unchecked) await ruleOf(text, { url, token }).run()
  }
})

describe('a mirror is found out that', () => {
  test.concurrent.for(faults)('%s', async ([, fault, rule], context) => {
    const url = await startWrongMirror(context, behind, fault)
    await context.expect(ruleOf(rule, { url, token }).run()).rejects.toThrow()
  })

  test('loses what it acknowledged when it ends', async (context) => {
    const data = await temporaryFolder()
    const old = await temporaryFolder()
    let server = await createMirror({ data, token })
    const address = new URL(await server.listen({ port: 0, host: '127.0.0.1' }))
    context.onTestFinished(() => server.close())
    let pushes = 0
    const url = await startWrongMirror(context, address.origin, async (request, forward) => {
      const answered = await forward(request)
      if (request.method === 'POST' && ++pushes === 10) await cp(data, old, { recursive: true })
      return answered
    })
    const restart = async () => {
      await server.close()
      await rm(data, { recursive: true })
      await cp(old, data, { recursive: true })
      server = await createMirror({ data, token })
      await server.listen({ port: Number(address.port), host: '127.0.0.1' })
    }
    const rule = ruleOf('what was acknowledged is there after', { url, token, restart })
    await expect(rule.run()).rejects.toThrow(/missing of d\d+/)
  })
})
