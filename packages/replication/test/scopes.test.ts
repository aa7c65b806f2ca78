import { nodeEnv } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { Transport, TransportAnswer, TransportRequest } from '@mynah/replication'
import { headers, positionText } from '@mynah/replication/protocol'
import { serveRequest } from '@mynah/replication/serve'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, until } from './manual-env.js'
import { address, MemoryMirror } from './memory-mirror.js'
import { isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const LARGE = 1_000
const PAGE = 6_000
const pulls = (requests: readonly TransportRequest[]) =>
  requests.map(({ url }) => new URL(url)).filter(({ pathname }) => pathname.endsWith('/records'))

/** The way to a mirror, with what was asked on it. */
function watched(mirror: MemoryMirror): Transport & { readonly requests: TransportRequest[] } {
  const requests: TransportRequest[] = []
  return {
    requests,
    request: (request) => {
      if (request.method === 'GET') requests.push(request)
      return mirror.request(request)
    },
    stream: (request) => mirror.stream(request),
    close: () => mirror.close(),
  }
}

async function peersKnow(
  there: Parameters<typeof known>[0],
  here: Parameters<typeof known>[0],
  prefix: string,
) {
  const wanted = [...(await known(there))].filter(([id]) => id.startsWith(prefix)).sort()
  expect([...(await known(here))].sort()).toEqual(wanted)
}

describe('a scope is pulled by ids', () => {
  test('page by page, and the checkpoint moves at the end', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.pageBytes = PAGE
    await putMany(mirror.database, 'a/', 20, LARGE)
    await putMany(mirror.database, 'b/', 20)
    const transport = watched(mirror)
    const options = { scope: { prefixes: ['a/'] }, hold: 'all', transport } as const
    const replication = await rig.replicate(db, mirror, options)
    await until(() => isQuiet(replication))
    await peersKnow(mirror.database, db, 'a/')
    const queries = pulls(transport.requests).map(({ searchParams }) => Object.fromEntries(searchParams))
    // How much is asked for at once grows.
    expect(queries.slice(0, 3).map(({ bytes }) => bytes)).toEqual(['65536', '131072', '262144'])
    const asked = queries.map(({ bytes, ...query }) => query)
    expect(asked.length).toBeGreaterThan(2)
    const end = positionText(mirror.replica.position())
    expect(asked[0]).toEqual({ bodies: '1', prefix: 'a/' })
    for (const query of asked.slice(1))
      expect(query.since ?? query).toEqual(
        query.since ? end : { ...asked[0], until: end, after: expect.stringMatching(/^a\//) },
      )
    await mirror.database.put({ id: 'a/more' })
    await until(() => replication.status().behind === 0 && isQuiet(replication))
    expect(pulls(transport.requests).at(-1)!.searchParams.get('since')).toBe(end)
  })

  test('and goes on where it was after a cut, and after both sides were opened again', async () => {
    const [here, there] = [await rig.folder(), await rig.folder()]
    let source = await rig.database('mirror', there)
    await putMany(source, 'a/', 30, LARGE)
    await putMany(source, 'b/', 5)
    const mirror = await MemoryMirror.with(source)
    mirror.pageBytes = PAGE
    const transport = watched(mirror)
    const options = { scope: { prefixes: ['a/'] }, hold: 'all', live: false, transport } as const
    const seen: string[] = []
    let fetched = 0
    for (let turn = 0; turn < 20; turn++) {
      const db = await rig.database('peer', here)
      let pages = 0
      mirror.fault = (asked) => (asked === 'GET /records' && ++pages > 1 ? 'refuse' : undefined)
      const replication = await rig.replicate(db, mirror, options)
      const { bytesDown } = replication.status()
      await until(() => pages > 1 || isQuiet(replication))
      if (pages > 1) await until(() => replication.mirrors()[0]!.state === 'backing-off')
      fetched += replication.status().bytesDown - bytesDown
      const over = isQuiet(replication)
      await replication.close()
      if (over) await peersKnow(source, db, 'a/')
      await db.close()
      if (over) break
      seen.push(...pulls(transport.requests).at(-1)!.searchParams.getAll('after'))
      await source.put({ id: `a/${turn}`, changed: turn }, { overwrite: true })
      await source.seal()
      await source.compact()
      await source.close()
      source = await rig.database('mirror', there)
      mirror.replace(source)
    }
    expect(seen.length).toBeGreaterThan(3)
    expect([...seen].sort()).toEqual(seen)
    expect(new Set(seen).size).toBe(seen.length)
    // Each large document came once: from the start each time it would be more than 80.
    expect(fetched).toBeLessThan(40 * LARGE)
  })

  test('from the start again where the mirror was put back to an older state meanwhile', async () => {
    const folder = await rig.folder()
    const first = await rig.database('mirror', folder)
    await putMany(first, 'a/', 10, LARGE)
    const mirror = await MemoryMirror.with(first)
    mirror.pageBytes = PAGE
    await first.close()
    const copy = await rig.copy(folder)
    const second = await rig.database('mirror', folder)
    mirror.replace(second)
    const db = await rig.database()
    const env = new ManualEnv()
    let begun = false
    mirror.delay = async (asked) => {
      if (asked !== 'GET /records' || begun) return
      begun = true
      await putMany(second, 'a/lost', 10, LARGE)
    }
    let pages = 0
    mirror.fault = (asked) => (asked === 'GET /records' && ++pages > 3 ? 'refuse' : undefined)
    const transport = watched(mirror)
    const options = { scope: { prefixes: ['a/'] }, hold: 'all', env, transport } as const
    const replication = await rig.replicate(db, mirror, options)
    await until(() => pages > 3)
    const restored = await rig.database('mirror', copy)
    await putMany(restored, 'a/other', 3)
    mirror.replace(restored)
    mirror.fault = () => undefined
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    const after = await known(db)
    for (const [id, rev] of await known(restored)) expect(after.get(id)).toBe(rev)
    // What only the peer has by now goes back to the mirror.
    expect(await known(restored)).toEqual(after)
    expect(after.size).toBeGreaterThan(13)
  })

  test('what a push brings while it is under way is not passed over', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.pageBytes = PAGE
    await putMany(mirror.database, 'a/', 20, LARGE)
    let once = true
    mirror.delay = async (asked) => {
      if (asked !== 'GET /records' || !once) return
      once = false
      await db.put({ id: 'a/00-own' })
      await until(() => mirror.asked.includes('POST /records'))
      await mirror.database.put({ id: 'a/00-other' })
    }
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: ['a/'] }, hold: 'all' })
    await until(() => isLive(replication) && isQuiet(replication))
    await peersKnow(mirror.database, db, 'a/')
  })
})

describe('where a page ended', () => {
  const asked = async (mirror: MemoryMirror, query: Record<string, string>): Promise<TransportAnswer> => {
    const served = { name: 'sensors', database: mirror.database, replica: mirror.replica }
    const databases = { names: async () => [], get: async () => served, create: () => Promise.reject() }
    const url = `${address()}/records?${new URLSearchParams(query)}`
    return serveRequest({ databases, version: '0', env: nodeEnv }, { method: 'GET', url, headers: {} })
  }

  test('a mirror refuses what is none, and a place of another history', async () => {
    const mirror = await rig.mirror()
    mirror.pageBytes = PAGE
    await putMany(mirror.database, 'a/', 3)
    const there = positionText(mirror.replica.position())
    const strange = positionText({ incarnation: 'ab'.repeat(16), seq: 2 })
    const wrong: readonly (readonly [Record<string, string>, number])[] = [
      [{ until: there }, 400],
      [{ after: 'a/0' }, 400],
      [{ until: there, after: '' }, 400],
      [{ until: there, after: 'a\u0007' }, 400],
      [{ until: there, after: 'a'.repeat(1_025) }, 400],
      [{ until: '7', after: 'a/0' }, 400],
      [{ until: there, after: 'a/0', since: there }, 400],
      [{ until: strange, after: 'a/0' }, 410],
      [{ until: there.replace(/\d+$/, '99'), after: 'a/0' }, 410],
    ]
    for (const [query, status] of wrong)
      expect((await asked(mirror, { prefix: 'a/', ...query })).status, JSON.stringify(query)).toBe(status)
    expect((await asked(mirror, { prefix: 'a/', until: there, after: 'zzz' })).status).toBe(204)
  })

  test.each([
    ['no id', '%07'],
    ['nothing', ''],
    ['not well-formed', '%zz'],
    ['the same again', 'a%2F0'],
  ])('a peer takes no answer with %s for one', async (_, after) => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.pageBytes = PAGE
    await putMany(mirror.database, 'a/', 3, LARGE)
    let pages = 0
    const transport: Transport = {
      request: async (request) => {
        const answer = await mirror.request(request)
        if (!(headers.after in answer.headers) || ++pages === 1) return answer
        return { ...answer, headers: { ...answer.headers, [headers.after]: after } }
      },
      stream: (request) => mirror.stream(request),
      close: () => mirror.close(),
    }
    await putMany(mirror.database, 'a/1', 10, LARGE)
    const replication = await rig.replicate(db, mirror, {
      transport,
      scope: { prefixes: ['a/'] },
      hold: 'all',
    })
    await until(() => replication.mirrors()[0]!.error !== undefined)
    expect(replication.mirrors()[0]!.error).toMatchObject({ code: 'MYNAH_MIRROR_ANSWER' })
    expect(replicaOf(db).position().seq).toBeGreaterThan(0)
  })
})
