import { nodeEnv } from '@mynah/core'
import { encodeRecords } from '@mynah/core/replica'
import type { Transport, TransportAnswer, TransportRequest } from '@mynah/replication'
import { answerChecksum, headers, requestChecksum } from '@mynah/replication/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HoldOff } from '../src/client/hold-off.js'
import { MirrorClient } from '../src/client/mirror-client.js'
import { Pace } from '../src/client/pace.js'
import { Traffic } from '../src/client/traffic.js'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type MemoryMirror } from './memory-mirror.js'
import { isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** A way to the mirror on which something happens to what is asked, or to what is answered. */
function way(
  mirror: MemoryMirror,
  asked: (request: TransportRequest) => TransportRequest,
  answered: (answer: TransportAnswer, request: TransportRequest) => TransportAnswer = (answer) => answer,
): Transport {
  return {
    request: async (request) => answered(await mirror.request(asked(request)), request),
    stream: (request) => mirror.stream(request),
    close: () => mirror.close(),
  }
}

const prefixes = ['a', 'b/ü +%&=#']
const damages: readonly (readonly [string, (url: string) => string])[] = [
  ['a digit of since', (url) => url.replace(/(since=[0-9a-f]+\.\d*)(\d)/, (_, rest, n) => rest + (+n + 1))],
  ['a prefix that is gone', (url) => url.replace(/&prefix=b[^&]*/, '')],
  ['a prefix that is another', (url) => url.replace('prefix=a', 'prefix=c')],
  ['another database', (url) => url.replace('/sensors', '/sensorz')],
]

test.each(damages)('%s: damage to what was asked is noticed, and no document skipped', async (_, damage) => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(mirror.database, 'a', 3)
  let due = false
  let damaged = 0
  const transport = way(mirror, (request) => {
    const url = due && new URL(request.url).pathname.endsWith('/records') ? damage(request.url) : request.url
    if (url === request.url) return request
    due = false
    damaged += 1
    return { ...request, url }
  })
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env, transport, scope: { prefixes } })
  await until(() => isQuiet(replication))
  due = true
  await mirror.database.putMany(prefixes.flatMap((prefix) => [{ id: `${prefix}1x` }, { id: `${prefix}2x` }]))
  await until(() => damaged === 1)
  await recover(env, replication, () => isQuiet(replication))
  expect(await known(db)).toEqual(await known(mirror.database))
})

test('a mirror refuses what was damaged on the way before it does anything', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await db.put({ id: 'here' })
  const answers: number[] = []
  const transport = way(
    mirror,
    (request) => (request.method === 'POST' ? { ...request, url: `${request.url}?whole=1` } : request),
    (answer, { method }) => {
      if (method === 'POST') answers.push(answer.status)
      return answer
    },
  )
  const replication = await rig.replicate(db, mirror, { transport })
  await until(() => answers.length > 0)
  await rounds()
  expect(answers).toEqual([400])
  expect(replication.mirrors()[0]!.error).toMatchObject({
    code: 'MYNAH_MIRROR_ANSWER',
    answerCode: 'MYNAH_MESSAGE_INVALID',
  })
  expect((await known(mirror.database)).size).toBe(0)
})

describe('the answer to another question is none', () => {
  const { signal } = new AbortController()
  const leaf = (id: string) => ({ id, rev: `1-${'0'.repeat(32)}` })
  const at = (seq: number) => ({ incarnation: '0'.repeat(32), seq })
  const shardOf = (id: string) =>
    encodeRecords([{ ...leaf(id), kind: 'stub', path: [], deleted: false, ...origin }], nodeEnv)
  const origin = { at: 1, origin: '0'.repeat(32), supplies: false, continues: false }
  const cases: Record<string, (client: MirrorClient, n: number) => Promise<unknown>> = {
    info: (client, n) => client.info([at(n)], signal),
    pull: (client, n) => client.pull({ bodies: false, prefixes: [`${n}`] }, signal),
    missing: (client, n) => client.missing([leaf(`${n}`)], signal),
    fetch: (client, n) => client.fetch([leaf(`${n}`)], 'read', signal),
    documents: (client, n) => client.documents([`${n}`], true, signal),
    ranges: (client, n) => client.ranges([{ from: `${n}`, to: undefined }], signal),
    owed: (client, n) => client.owed(`${n}`, signal),
    push: async (client, n) => client.push(await shardOf(`${n}`), false, signal),
  }
  test.each(Object.entries(cases))('%s', async (_, ask) => {
    const mirror = await rig.mirror()
    let kept: TransportAnswer | undefined
    const transport = way(
      mirror,
      (request) => request,
      (answer) => {
        kept ??= answer
        return kept
      },
    )
    const options = { address: address(), databaseId: '0'.repeat(32), transport, env: nodeEnv }
    // A new one each time: how much one asks for at once grows.
    const client = () =>
      new MirrorClient({
        ...options,
        mayCreate: true,
        pace: { up: new Pace(), down: new Pace() },
        holdOff: new HoldOff(nodeEnv),
        onNamed: () => {},
        token: () => undefined,
        traffic: new Traffic(nodeEnv, { bytesPerHour: undefined, onWaiting: () => {} }),
      })
    await ask(client(), 1)
    expect(kept).toMatchObject({ headers: { [headers.checksum]: expect.any(String) } })
    await expect(ask(client(), 2)).rejects.toMatchObject({ code: 'MYNAH_MIRROR_ANSWER' })
    await ask(client(), 1)
  })
})

test('a proxy may write an address in another way', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await mirror.database.putMany(prefixes.map((prefix) => ({ id: `${prefix}1` })))
  let written = ''
  const transport = way(mirror, (request) => {
    const url = new URL(request.url)
    const parameters = [...url.searchParams].sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0))
    const hex = (text: string) =>
      [...new TextEncoder().encode(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    const search = parameters.map(([name, value]) => `${name}=${hex(value)}`).join('&')
    written = `${url.origin}${url.pathname.replace('sensors', hex('sensors'))}${search && `?${search}`}`
    return { ...request, url: written }
  })
  const replication = await rig.replicate(db, mirror, { transport, scope: { prefixes } })
  await until(() => isQuiet(replication))
  expect(written).toContain('%73')
  expect(await known(db)).toEqual(await known(mirror.database))
  expect(replication.mirrors()[0]!.error).toBeUndefined()
})

test('each question carries its checksum, also one without a body', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  const lacking: string[] = []
  const transport = way(mirror, (request) => {
    if (!/^[0-9a-f]{8}$/.test(request.headers[headers.checksum] ?? '')) lacking.push(request.url)
    return request
  })
  const replication = await rig.replicate(db, mirror, { transport })
  await until(() => isQuiet(replication))
  expect(lacking).toEqual([])
})

test('golden checksums', () => {
  const since = '000102030405060708090a0b0c0d0e0f.7'
  const sensors = { database: 'sensors' } as const
  const question = {
    ...sensors,
    method: 'GET',
    subpath: '/records',
    query: { since, prefix: ['ü'] },
  } as const
  const asked = requestChecksum(question)
  expect(asked).toBe('b2708c5c')
  const meant = { [headers.position]: '000102030405060708090a0b0c0d0e0f.9', [headers.more]: '0' }
  expect(answerChecksum(asked, meant, new Uint8Array([1, 2]))).toBe('bb660967')
  const newest = '000102030405060708090a0b0c0d0e0f.12'
  const past = { ...meant, [headers.after]: 'z%C3%BC', [headers.newest]: newest }
  expect(answerChecksum(asked, past, new Uint8Array([1, 2]))).toBe('3fb1579c')
  const posted = { ...sensors, method: 'POST', subpath: '/records/missing', query: {} } as const
  expect(requestChecksum(posted, new Uint8Array([0x90]))).toBe('df510730')
})
