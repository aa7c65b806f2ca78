import { type Database, nodeEnv, open } from '@mynah/core'
import { compareUtf8, type Replica, replicaOf } from '@mynah/core/replica'
import {
  type AskedRange,
  decodeAskedRanges,
  decodeError,
  decodeOwed,
  decodeToldRanges,
  encodeAskedRanges,
  encodeOwed,
  encodeToldRanges,
  headers,
  MessageInvalidError,
  mediaTypes,
  parsePosition,
  type ToldRanges,
  wireLimits,
  wirePrint,
} from '@mynah/replication/protocol'
import { type ServedMirror, serveRequest } from '@mynah/replication/serve'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { afterEach, describe, expect, test } from 'vitest'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const print = (byte: number) => new Uint8Array(wireLimits.printBytes).fill(byte)
const all: AskedRange = { from: '', to: undefined }
const pack = (value: unknown) => new Uint8Array(new Packr({ useRecords: false }).pack(value))

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'ÿ', '\uffee', '😀', '😁'), maxLength: 8 })
const texts = fc
  .uniqueArray(
    text.filter((one) => one !== ''),
    { maxLength: 20 },
  )
  .map((some) => some.sort(compareUtf8))
const anyPrint = fc.uint8Array({ minLength: wireLimits.printBytes, maxLength: wireLimits.printBytes })

describe('questions about ranges and their answers', () => {
  test('come back as they were sent', () => {
    const asked = fc.array(
      fc.record(
        {
          from: text,
          to: fc.option(text, { nil: undefined }),
          sum: fc.record({ count: fc.nat(), print: anyPrint }),
        },
        { requiredKeys: ['from', 'to'] },
      ),
    )
    fc.assert(
      fc.property(asked, (ranges) => {
        const sent = ranges.map((one) => ({ ...one, to: one.to === '' ? undefined : one.to }))
        expect(decodeAskedRanges(encodeAskedRanges(sent))).toEqual(sent)
      }),
    )
    fc.assert(
      fc.property(texts, anyPrint, fc.nat(), (some, byte, count) => {
        const ids = some.map((id) => ({ id, print: byte }))
        const parts = ['', ...some].map((from) => ({ from, count, print: byte }))
        const told: ToldRanges = {
          owed: count,
          ranges: [{ kind: 'ids', ids }, { kind: 'parts', parts }, { kind: 'same' }],
        }
        expect(decodeToldRanges(encodeToldRanges(told), [all, all, all, all])).toEqual(told)
        const leaves = some.map((id) => ({ id, rev: '1-a' }))
        expect(decodeOwed(encodeOwed({ leaves, next: 'x' }))).toEqual({ leaves, next: 'x' })
        expect(decodeOwed(encodeOwed({ leaves }))).toEqual({ leaves })
      }),
    )
  })

  test('have the bytes of the protocol page', () => {
    const asked = [{ ...all, sum: { count: 3, print: print(1) } }]
    expect(hex(encodeAskedRanges(asked))).toBe(`9194a0a003c410${'01'.repeat(16)}`)
    const parts = [
      { from: '', count: 2, print: print(2) },
      { from: 'b', count: 1, print: print(3) },
    ]
    expect(hex(encodeToldRanges({ owed: 0, ranges: [{ kind: 'parts', parts }] }))).toBe(
      `82a46f77656400a672616e6765739194019200a162920201c420${'02'.repeat(16)}${'03'.repeat(16)}`,
    )
    const ids = ['sensor/1', 'sensor/2'].map((id) => ({ id, print: print(4) }))
    expect(hex(encodeToldRanges({ owed: 0, ranges: [{ kind: 'ids', ids }] }))).toContain(
      `93029400a8${hex(Buffer.from('sensor/1'))}07a132c420${'04'.repeat(32)}`,
    )
  })

  test('are refused where they are not in order, not in the range or not complete', () => {
    const range = { from: 'b', to: 'd' }
    const refused = [
      { owed: 0, ranges: [] },
      { owed: 0, ranges: [[2, [0, 'a'], print(1)]] },
      { owed: 0, ranges: [[2, [0, 'd'], print(1)]] },
      { owed: 0, ranges: [[2, [0, 'c', 0, 'bb'], new Uint8Array(32)]] },
      { owed: 0, ranges: [[2, [0, 'c', 0, 'c'], new Uint8Array(32)]] },
      { owed: 0, ranges: [[2, [1, 'c'], print(1)]] },
      { owed: 0, ranges: [[2, [0, 'c'], new Uint8Array(15)]] },
      { owed: 0, ranges: [[1, [0, 'b'], [1, 1], new Uint8Array(32)]] },
      { owed: 0, ranges: [[1, [0, 'c'], [1], new Uint8Array(32)]] },
      { owed: 0, ranges: [[1, [0, 'c'], [1, -1], new Uint8Array(32)]] },
      { owed: 0, ranges: [[3, [], print(1)]] },
      { owed: 0, ranges: [[0], [0]] },
      { owed: -1, ranges: [[0]] },
      { ranges: [[0]] },
      [],
    ]
    for (const message of refused)
      expect(() => decodeToldRanges(pack(message), [range])).toThrow(MessageInvalidError)
    expect(decodeToldRanges(pack({ owed: 0, ranges: [[0]] }), [range]).ranges).toEqual([{ kind: 'same' }])
    const questions = [
      [[1, 2]],
      [['a']],
      [['a', 'b', 1, new Uint8Array(3)]],
      Array(513).fill(['', '']),
      'x',
      [['x'.repeat(3_000), '']],
    ]
    for (const message of questions)
      expect(() => decodeAskedRanges(pack(message))).toThrow(MessageInvalidError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const decode of [
          decodeAskedRanges,
          decodeOwed,
          (b: Uint8Array) => decodeToldRanges(b, [range]),
        ]) {
          try {
            decode(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(MessageInvalidError)
          }
        }
      }),
    )
  })
})

describe('a mirror that is asked about ranges', () => {
  const opened: Database[] = []
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })

  async function served(
    ids: readonly string[],
  ): Promise<{ readonly mirror: ServedMirror; readonly replica: Replica }> {
    const database = await open(':memory:', { mode: 'mirror' })
    opened.push(database)
    await database.putMany(ids.map((id) => ({ id })))
    const replica = replicaOf(database)
    const get = async (name: string) => ({ name, database, replica })
    const databases = {
      names: async () => ['a'],
      get,
      create: async (name: string) => ({ opened: await get(name), created: false }),
    }
    return { mirror: { databases, version: '0', env: nodeEnv }, replica }
  }

  async function ask(mirror: ServedMirror, asked: readonly AskedRange[]) {
    const answer = await serveRequest(mirror, {
      method: 'POST',
      url: 'http://mirror.test/v1/a/ranges',
      headers: { 'content-type': mediaTypes.message },
      body: encodeAskedRanges(asked),
    })
    expect(answer.status).toBe(200)
    expect(answer.body.length).toBeLessThan(wireLimits.messageBytes)
    return { told: decodeToldRanges(answer.body, asked), answer }
  }

  test('says so where it has the same, and when that was', async () => {
    const { mirror, replica } = await served(['a', 'b'])
    const { count, sum } = await replica.sum({})
    const { told, answer } = await ask(mirror, [{ ...all, sum: { count, print: wirePrint(sum) } }])
    expect(told).toEqual({ owed: 0, ranges: [{ kind: 'same' }] })
    expect(parsePosition(answer.headers[headers.position]!)).toEqual(replica.position())
    const other = await ask(mirror, [{ ...all, sum: { count, print: print(0) } }])
    expect(other.told.ranges[0]).toMatchObject({ kind: 'ids', ids: [{ id: 'a' }, { id: 'b' }] })
    expect((await ask(mirror, [{ from: 'z', to: 'a' }])).told.ranges).toEqual([{ kind: 'ids', ids: [] }])
  })

  test('tells many ids in parts that cover the range, whose sums are right', async () => {
    const { mirror, replica } = await served(Array.from({ length: 3_000 }, (_, i) => `d${i}`))
    const [told] = (await ask(mirror, [all])).told.ranges
    if (told?.kind !== 'parts') throw new Error('parts were expected')
    for (const [i, part] of told.parts.entries()) {
      const next = told.parts[i + 1]?.from
      const { count, sum } = await replica.sum({ gte: part.from, ...(next !== undefined && { lt: next }) })
      expect(part).toEqual({ from: part.from, count, print: wirePrint(sum) })
    }
    const few = await ask(
      mirror,
      told.parts.map(({ from }, i) => ({ from, to: told.parts[i + 1]?.from })),
    )
    for (const range of few.told.ranges) expect(range.kind === 'ids' || range.kind === 'parts').toBe(true)
  })

  test('bounds what it answers at once, whatever it is asked', async () => {
    const { mirror } = await served(Array.from({ length: 600 }, (_, i) => `${'ÿ'.repeat(500)}${i}`))
    const asked = Array.from({ length: wireLimits.ranges }, () => all)
    const { told } = await ask(mirror, asked)
    expect(told.ranges.length).toBeGreaterThan(0)
    expect(told.ranges.length).toBeLessThan(asked.length)
  })

  test('refuses what is no question', async () => {
    const { mirror } = await served([])
    const request = (method: 'POST' | 'GET', path: string, body?: Uint8Array) =>
      serveRequest(mirror, {
        method,
        url: `http://mirror.test/v1/a/${path}`,
        headers: body === undefined ? {} : { 'content-type': mediaTypes.message },
        ...(body && { body }),
      })
    for (const answer of [
      await request('POST', 'ranges', Uint8Array.of(0xc1)),
      await request('POST', 'ranges'),
    ]) {
      expect(answer.status).toBe(400)
      expect(decodeError(new TextDecoder().decode(answer.body)).code).toBe('MYNAH_MESSAGE_INVALID')
    }
    expect((await request('GET', 'owed?after=a&after=b')).status).toBe(400)
    expect((await request('GET', 'ranges')).status).toBe(405)
  })

  test('tells what it owes, page by page', async () => {
    const { mirror, replica } = await served(['held'])
    const other = await open(':memory:')
    opened.push(other)
    await other.putMany([{ id: 'x' }, { id: 'y' }])
    const { records } = await replicaOf(other).feed({ since: 0, bodies: false })
    await replica.merge(records)
    const answer = await serveRequest(mirror, {
      method: 'GET',
      url: 'http://mirror.test/v1/a/owed',
      headers: {},
    })
    expect(decodeOwed(answer.body).leaves.map(({ id }) => id)).toEqual(['x', 'y'])
    const rest = await serveRequest(mirror, {
      method: 'GET',
      url: 'http://mirror.test/v1/a/owed?after=x',
      headers: {},
    })
    expect(decodeOwed(rest.body)).toMatchObject({ leaves: [{ id: 'y' }] })
    expect((await ask(mirror, [all])).told.owed).toBe(2)
    expect((await replica.owed({ limit: 10, ids: 2 })).next).toBe('x')
  })
})
