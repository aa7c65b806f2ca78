import { nodeEnv } from '@mynah/core'
import { encodeRecords } from '@mynah/core/replica'
import { ByteList, fromHex, utf8 } from './byte-list.js'
import { holds, same } from './check.js'
import { pack } from './msgpack.js'
import { pushTold, type RawAnswer, refused } from './raw-answer.js'
import { type MirrorChecks, type RawDatabase, type RawRequest, types } from './raw-database.js'
import { leafOf, revision } from './revisions.js'
import { ORIGIN, recordsOf, sealed, shardOf } from './shards.js'

const INVALID = 'MYNAH_MESSAGE_INVALID'
const TOO_LARGE = 'MYNAH_REQUEST_TOO_LARGE'
const MESSAGE_PATHS = ['/records/missing', '/records/held', '/records/fetch', '/ranges'] as const
const MESSAGE_BYTES = 4 * 1024 * 1024

/** The example of docs/formats/shard.md: document `a`, `{ n: 5, t: 21.5 }`, uncompressed columns. */
const GOLDEN =
  '4d595348010000000000000100000001' +
  '0000002d0000002d4b3c1707d79bee13' +
  '0101841603024161070080f8b2e5bd68110100112233445566778899aabbccddeeff0a0222016e85017411ae03'

/** Shards that are none. */
async function brokenShards(): Promise<Readonly<Record<string, Uint8Array>>> {
  const shard = shardOf([revision('a', 1)])
  const flipped = (at: number) => shard.map((byte, i) => (i === at ? byte ^ 1 : byte))
  const many = Array.from({ length: 400 }, (_, n) => revision(`d${n}`, n))
  const packed = await encodeRecords(await recordsOf(shardOf(many)), nodeEnv)
  const stored = packed.subarray(32)
  const block = shard.subarray(32)
  const patched = (at: number, ...bytes: readonly number[]) => {
    const copy = Uint8Array.from(block)
    copy.set(bytes, at)
    return sealed(copy, 1)
  }
  return {
    nothing: new Uint8Array(0),
    'no shard': utf8('{"id":"a"}'),
    'a shard that is cut': shard.subarray(0, -1),
    'half a header': shard.subarray(0, 20),
    'a byte behind the shard': Uint8Array.from([...shard, 0]),
    'another magic': flipped(0),
    'a flipped byte in the header': flipped(11),
    'a flipped byte in the records': flipped(shard.length - 1),
    'a later version': shardOf([revision('a', 1)], { version: 2 }),
    'an unknown codec': shardOf([revision('a', 1)], { codec: 9 }),
    'more records than there are': shardOf([revision('a', 1)], { count: 2 }),
    'a length that is not the one of the records': shardOf([revision('a', 1)], { rawBytes: 1_000 }),
    'LZMA that is none': sealed(
      Uint8Array.from({ length: 64 }, (_, n) => n),
      1,
      { codec: 1, rawBytes: 64 },
    ),
    'more than it says':
      packed[5] === 1 ? sealed(stored, 400, { codec: 1, rawBytes: stored.length }) : flipped(1),
    'a length past every limit': sealed(stored, 400, { codec: packed[5]!, rawBytes: 0xffff_ffff }),
    'a block of a later version': patched(0, 9),
    'a count of records past its end': patched(1, 0x7f),
    'a section that is reserved': patched(2, 0xff, 0x7f),
  }
}

const zeros = (bytes: number) => new Uint8Array(bytes)

/** Bytes that are no message of this protocol, whatever they are asked for. */
const brokenMessages: Readonly<Record<string, Uint8Array>> = {
  nothing: zeros(0),
  'an array that is cut': fromHex('92a161'),
  'two values': fromHex('9090'),
  nil: fromHex('91c0'),
  'a float': fromHex('9192a161cb3ff0000000000000'),
  'an extension': fromHex('91d6ff00000000'),
  'a timestamp of 12 bytes': fromHex('91c70cff000000000000000000000000'),
  'a map where an array belongs': fromHex('80'),
  'text where an array belongs': fromHex('a161'),
  'a number for an id': fromHex('919201a3312d62'),
  'a length of 2^32 - 1: array': fromHex('ddffffffff'),
  'a length of 2^32 - 1: map': fromHex('dfffffffff'),
  'a length of 2^32 - 1: text': fromHex('91dbffffffff'),
  'a length of 2^32 - 1: bytes': fromHex('91c6ffffffff'),
  'a million arrays in each other': new Uint8Array(1_000_000).fill(0x91),
  'a reserved type': fromHex('c1'),
  'four members': fromHex('9194a161a3312d62a161a162'),
  'a hash of 31 bytes': new ByteList().raw(fromHex('9193a161a3312d62c41f')).raw(zeros(31)).finish(),
  'an empty entry': fromHex('9190'),
}

/** A mirror need not read what it does not take: the connection may be closed while the rest of it is still to be sent. */
async function tooLarge(asked: Promise<RawAnswer>, what: string): Promise<void> {
  const answer = await asked.catch((error: unknown) => {
    if (error instanceof TypeError) return undefined
    throw error
  })
  if (answer !== undefined) refused(answer, 413, TOO_LARGE, what)
}

async function changesNothing(db: RawDatabase, ask: () => Promise<void>): Promise<void> {
  const before = await db.position()
  await ask()
  same(await db.position(), before, 'the place after what was refused')
}

export const requestChecks: MirrorChecks = {
  'the example of the page of shards is a push': async (db) => {
    await db.create()
    const told = pushTold(await db.pushShard(fromHex(GOLDEN)))
    same([told.taken, told.exceptions], [1, []], 'the answer')
    const [found] = (await db.pull(['bodies', '1'])).records
    same([found?.id, { ...(found?.body as object) }], ['a', { n: 5, t: 21.5 }], 'the document')
    same(found?.origin, '00112233445566778899aabbccddeeff', 'its origin')
  },
  'a push that is no shard is refused, and changes nothing': async (db) => {
    await db.create()
    await changesNothing(db, async () => {
      for (const [what, shard] of Object.entries(await brokenShards())) {
        refused(await db.pushShard(shard), 400, INVALID, what)
      }
    })
  },
  'a message that is none is refused': async (db) => {
    await db.create()
    for (const path of MESSAGE_PATHS) {
      for (const [what, body] of Object.entries(brokenMessages)) {
        const answer = await db.ask('POST', path, { type: types.message, body })
        refused(answer, 400, INVALID, `${path} with ${what}`)
      }
    }
  },
  'a push names the database that sends it': async (db) => {
    await db.create()
    const body = shardOf([revision('a', 1)])
    await changesNothing(db, async () => {
      for (const id of [undefined, '', 'x', ORIGIN.toUpperCase(), `${ORIGIN}0`]) {
        const headers = id === undefined ? {} : { 'mynah-database': id }
        await db.refuses(400, INVALID, 'POST', '/records', { type: types.shard, body, headers })
      }
    })
  },
  'a push has at most 4,096 records, and one more is MYNAH_REQUEST_TOO_LARGE': async (db) => {
    await db.create()
    const records = Array.from({ length: 4_097 }, (_, n) => revision(`d${n}`, n))
    const limits = (await db.info()).limits as { readonly batchRecords: number }
    same(limits.batchRecords, 4_096, 'limits.batchRecords')
    refused(await db.pushShard(shardOf(records)), 413, TOO_LARGE, '4,097 records')
    same(await db.pullAll(), [], 'what was taken')
    same((await db.push(records.slice(1))).taken, 4_096, '4,096 records')
  },
  'a body past its limit is MYNAH_REQUEST_TOO_LARGE, and one at it is not': async (db) => {
    await db.create()
    const { requestBytes } = (await db.info()).limits as { readonly requestBytes: number }
    refused(await db.pushShard(zeros(requestBytes)), 400, INVALID, 'a push of all bytes that there may be')
    await tooLarge(db.pushShard(zeros(requestBytes + 1)), 'a push of a byte more')
    for (const path of MESSAGE_PATHS) {
      const message = (bytes: number): RawRequest => ({ type: types.message, body: zeros(bytes) })
      await db.refuses(400, INVALID, 'POST', path, message(MESSAGE_BYTES))
      await tooLarge(db.ask('POST', path, message(MESSAGE_BYTES + 1)), `${path} with a byte more`)
    }
    same(await db.pullAll(), [], 'what was taken')
  },
  'a request with a checksum that is another is refused, and changes nothing': async (db) => {
    await db.create()
    const { position } = await db.push([revision('a', 1)])
    const checksum = '00000000'
    const message = { type: types.message, body: pack([leafOf(revision('a', 1))]), checksum }
    await changesNothing(db, async () => {
      refused(await db.pushShard(shardOf([revision('b', 1)]), { checksum }), 400, INVALID, 'a push')
      for (const path of ['', '/records', '/owed', '/shards'])
        await db.refuses(400, INVALID, 'GET', path, { checksum })
      for (const path of ['/records/missing', '/records/held', '/records/fetch']) {
        await db.refuses(400, INVALID, 'POST', path, message)
      }
      const ranges = { ...message, body: pack([['', '']]) }
      await db.refuses(400, INVALID, 'POST', '/ranges', ranges)
      await db.refuses(400, INVALID, 'PUT', '', { checksum })
    })
    // Each of these is the checksum of something that is nearly this request.
    const query = [['since', position]] as const
    const other = [['since', `${position.slice(0, -1)}0`]] as const
    const { name } = db
    for (const near of [
      db.checksumOf('GET', '/records', { query: other }),
      db.checksumOf('GET', '/records', {}),
      db.checksumOf('POST', '/records', { query }),
      db.checksumOf('GET', '', { query }),
      Object.assign(db.another(), { name: `${name}x` }).checksumOf('GET', '/records', { query }),
      db.checksumOf('GET', '/records', { query }).toUpperCase().replace(/^\d*$/, 'A'),
    ]) {
      await db.refuses(400, INVALID, 'GET', '/records', { query, checksum: near })
    }
  },
  'a request without a checksum is answered': async (db) => {
    await db.create()
    const told = pushTold(await db.pushShard(shardOf([revision('a', 1)]), { checksum: undefined }))
    same(told.taken, 1, 'taken')
    await db.expect(200, 'GET', '/records', { checksum: undefined })
  },
  'a checksum is of what is asked, however the address is spelled': async (db) => {
    await db.create()
    await db.push([revision('ü', 1), revision('a b', 1)])
    const query = [
      ['bodies', '1'],
      ['prefix', 'ü'],
      ['prefix', 'a b'],
    ] as const
    for (const spelled of [
      '/records?prefix=%C3%BC&bodies=1&prefix=a+b',
      '/records?bodies=1&prefix=%c3%bc&prefix=a%20b',
      '/records?prefix=%C3%BC&prefix=%61%20b&bodies=%31',
    ]) {
      const { body } = await db.expect(200, 'GET', '/records', { query, spelled })
      same((await recordsOf(body)).length, 2, spelled)
    }
  },
  'a body of another type, or none, is refused': async (db) => {
    await db.create()
    const push = { body: shardOf([revision('a', 1)]), headers: { 'mynah-database': ORIGIN } }
    for (const type of [types.message, types.json, 'text/plain', 'application/octet-stream']) {
      await db.refuses(415, 'MYNAH_MEDIA_TYPE_UNKNOWN', 'POST', '/records', { ...push, type })
    }
    for (const path of MESSAGE_PATHS) {
      const body = pack([])
      await db.refuses(415, 'MYNAH_MEDIA_TYPE_UNKNOWN', 'POST', path, { body, type: types.shard })
      const answer = await db.ask('POST', path)
      holds(answer.status === 400 || answer.status === 415, `${path} without a body: ${answer.status}`)
    }
  },
  'another method is 405 with what is allowed, another path 404': async (db) => {
    await db.create()
    const wrong = [
      ['POST', ''],
      ['PUT', '/records'],
      ['DELETE', '/records'],
      ['POST', '/records/live'],
      ['GET', '/records/missing'],
      ['GET', '/records/held'],
      ['GET', '/records/fetch'],
      ['GET', '/ranges'],
      ['POST', '/owed'],
      ['PUT', '/shards'],
    ] as const
    for (const [method, path] of wrong) {
      const answer = await db.ask(method, path, { checksum: undefined })
      refused(answer, 405, 'MYNAH_METHOD_UNKNOWN', `${method} ${path}`)
      holds(
        answer.headers.get('allow') !== null,
        `${method} ${path}: an answer names the methods that there are`,
      )
    }
    for (const path of ['/nothing', '/records/x', '/records/live/x']) {
      await db.refuses(404, 'MYNAH_ROUTE_UNKNOWN', 'GET', path, { checksum: undefined })
    }
  },
  'a flag is 0 or 1': async (db) => {
    await db.create()
    const headers = { 'mynah-database': ORIGIN }
    for (const value of ['2', 'true', '']) {
      const query = [['whole', value]] as const
      const push = { type: types.shard, body: shardOf([revision('a', 1)]), headers, query }
      await db.refuses(400, INVALID, 'POST', '/records', push)
      await db.refuses(400, INVALID, 'POST', '/records/fetch', {
        type: types.message,
        body: pack([['a']]),
        query,
      })
    }
    same(await db.pullAll(), [], 'what was taken')
  },
}

/** Of a mirror that wants a token. */
export const tokenChecks: MirrorChecks = {
  'without the token, or with another, everything is 401 MYNAH_TOKEN_INVALID': async (db) => {
    await db.create()
    const { token } = db.subject
    for (const given of [undefined, '', 'another', `${token}x`]) {
      for (const path of ['', '/records', '/records/live', '/owed', '/shards']) {
        await db.refuses(401, 'MYNAH_TOKEN_INVALID', 'GET', path, { token: given })
      }
      for (const path of MESSAGE_PATHS) {
        const message = { type: types.message, body: pack([]), token: given }
        await db.refuses(401, 'MYNAH_TOKEN_INVALID', 'POST', path, message)
      }
      refused(
        await db.pushShard(shardOf([revision('a', 1)]), { token: given }),
        401,
        'MYNAH_TOKEN_INVALID',
        'push',
      )
      const other = db.another()
      await other.refuses(401, 'MYNAH_TOKEN_INVALID', 'PUT', '', { token: given })
      await other.refuses(404, 'MYNAH_DATABASE_UNKNOWN', 'GET', '')
    }
  },
}
