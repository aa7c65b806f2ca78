import type { Transport, TransportAnswer } from '@mynah/replication'
import { encodeError, mediaTypes } from '@mynah/replication/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { retryAfterMs } from '../src/client/hold-off.js'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type MemoryMirror, ways } from './memory-mirror.js'
import { count, isLive, isQuiet, passes, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const NOW_MS = Date.UTC(2026, 0, 1)

test.each<[string, Record<string, string>, number | undefined]>([
  ['seconds', { 'retry-after': '90' }, 90_000],
  ['none', { 'retry-after': '0' }, 0],
  ['a date', { 'retry-after': new Date(NOW_MS + 30_000).toUTCString() }, 30_000],
  [
    "a date, against the answer's own",
    {
      'retry-after': new Date(NOW_MS + 3_630_000).toUTCString(),
      date: new Date(NOW_MS + 3_600_000).toUTCString(),
    },
    30_000,
  ],
  ['a date that is over', { 'retry-after': new Date(NOW_MS - 30_000).toUTCString() }, 0],
  ['a year', { 'retry-after': '31536000' }, 300_000],
  ['more than a number can', { 'retry-after': '9'.repeat(400) }, 300_000],
  ['nothing', {}, undefined],
  ['what is neither', { 'retry-after': 'soon' }, undefined],
  ['less than none', { 'retry-after': '-5' }, undefined],
  ['an empty one', { 'retry-after': '' }, undefined],
])('Retry-After: %s', (_, headers, expected) => {
  expect(retryAfterMs(headers, NOW_MS)).toBe(expected)
})

/** A way on which the mirror at an address says that it is busy, while it is. */
function busy(mirrors: Readonly<Record<string, MemoryMirror>>, name: string) {
  const way = ways(mirrors)
  const said: TransportAnswer = {
    status: 503,
    headers: { 'content-type': mediaTypes.json, 'retry-after': '120' },
    body: new TextEncoder().encode(encodeError({ code: 'MYNAH_BUSY', message: 'later' })),
  }
  const state = { answer: undefined as TransportAnswer | undefined, said, asked: 0 }
  const transport: Transport = {
    ...way,
    request: async (request) => {
      if (state.answer === undefined || !request.url.startsWith(address(name))) return way.request(request)
      state.asked += 1
      return state.answer
    },
  }
  return { transport, state }
}

describe('a mirror that says when to come again', () => {
  async function peer(names: readonly string[]) {
    const [first, second] = [await rig.mirror(), await rig.mirror()]
    for (const { database } of [first, second]) await putMany(database, 'd', 3)
    const { transport, state } = busy({ first, second }, 'first')
    const env = new ManualEnv()
    const db = await rig.database()
    const replication = await rig.replicate(db, first, { transport, env, mirrors: names.map(address) })
    await until(() => isLive(replication))
    return { db, env, first, second, state, replication }
  }

  test.each([
    ['busy', (said: TransportAnswer) => said],
    ['too many requests', (said: TransportAnswer) => ({ ...said, status: 429 })],
    [
      'a proxy that speaks for it',
      (said: TransportAnswer) => ({
        ...said,
        headers: { 'retry-after': '120', 'content-type': 'text/html' },
      }),
    ],
  ])('is left alone for so long: %s', async (_, answer) => {
    const { db, env, first, state, replication } = await peer(['first'])
    state.answer = answer(state.said)
    await db.put({ id: 'new' })
    await until(() => replication.mirrors()[0]!.state === 'backing-off')
    expect(state.asked).toBe(1)
    for (let second = 0; second < 119; second++) await env.advance(1_000)
    await rounds()
    expect(state.asked).toBe(1)
    // A read neither asks it, nor waits.
    await expect(db.get('d1')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
    expect(state.asked).toBe(1)
    state.answer = undefined
    await passes(env, [first], () => isLive(replication) && isQuiet(replication))
    expect(await first.database.get('new')).toMatchObject({ id: 'new' })
    expect(await db.get('d1')).toMatchObject({ id: 'd1' })
  })

  test('is tried by who asks for a round, and read from again once that worked', async () => {
    const { db, state, replication } = await peer(['first'])
    state.answer = state.said
    await db.put({ id: 'new' })
    await until(() => replication.mirrors()[0]!.state === 'backing-off')
    state.answer = undefined
    await replication.sync()
    expect(await db.get('d1')).toMatchObject({ id: 'd1' })
  })

  test('to a read: the next ones ask another, while the session goes on', async () => {
    const { db, env, state, second, first, replication } = await peer(['first', 'second'])
    state.answer = state.said
    expect(await db.get('d1')).toMatchObject({ id: 'd1' })
    expect(await db.get('d2')).toMatchObject({ id: 'd2' })
    expect([state.asked, count(second, 'POST /records/fetch')]).toEqual([1, 2])
    expect(replication.mirrors()[0]!.state).toBe('live')
    state.answer = undefined
    const endMs = env.now() + 121_000
    await passes(env, [first, second], () => env.now() > endMs)
    expect(await db.get('d0')).toMatchObject({ id: 'd0' })
    expect(count(second, 'POST /records/fetch')).toBe(2)
  })
})
