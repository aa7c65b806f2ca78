import { holds, same } from './check.js'
import { jsonOf } from './raw-answer.js'
import { type MirrorChecks, types } from './raw-database.js'
import { revision } from './revisions.js'

const ELSEWHERE = '0f'.repeat(16)

export const databaseChecks: MirrorChecks = {
  'PUT :db makes a database once: 201, then 200, the same one': async (db) => {
    await db.refuses(404, 'MYNAH_DATABASE_UNKNOWN', 'GET', '')
    const made = jsonOf(await db.expect(201, 'PUT', ''))
    const there = jsonOf(await db.expect(200, 'PUT', ''))
    same([there.id, there.name], [made.id, db.name], 'the database that is there')
    same((await db.info()).id, made.id, 'its id')
  },
  'GET :db tells what the database is': async (db) => {
    await db.create()
    const answer = await db.expect(200, 'GET', '')
    same(answer.headers.get('content-type')?.split(';', 1)[0], types.json, 'content-type')
    const { name, id, mode, protocol, position, documents, owes, limits, holds: held } = jsonOf(answer)
    same(
      [name, mode, protocol, documents, owes],
      [db.name, 'mirror', 1, 0, 0],
      'name, mode, protocol, documents, owes',
    )
    holds(/^[0-9a-f]{32}$/.test(String(id)), `the id ${String(id)} is not 32 lower-case hex digits`)
    holds(/^[0-9a-f]{32}\.(0|[1-9][0-9]{0,15})$/.test(String(position)), `${String(position)} is no position`)
    for (const limit of ['requestBytes', 'batchRecords']) {
      const value = (limits as Record<string, unknown>)[limit]
      holds(Number.isSafeInteger(value) && Number(value) > 0, `limits.${limit} is ${String(value)}`)
    }
    same(held, undefined, 'holds, when nothing was asked')
  },
  'mirrors that are named have addresses of the same database, without user and token, 16 at most': async (
    db,
  ) => {
    await db.create()
    const { mirrors = [] } = await db.info()
    holds(Array.isArray(mirrors) && mirrors.length <= 16, 'mirrors are a list of 16 at most')
    for (const named of mirrors as readonly unknown[]) {
      const { protocol, username, password, search, pathname } = new URL(String(named))
      const isPlain = /^https?:$/.test(protocol) && `${username}${password}${search}` === ''
      holds(isPlain && pathname.endsWith(`/v1/${db.name}`), `${String(named)} is no address of ${db.name}`)
    }
  },
  'holds answers for each position, in order: own ones up to the end, and seq 0 of whatever history': async (
    db,
  ) => {
    await db.create()
    const { position } = await db.push([revision('a', 1)])
    const [incarnation, seq] = position.split('.') as [string, string]
    const asked = [
      `${ELSEWHERE}.1`,
      position,
      `${incarnation}.${Number(seq) + 1}`,
      `${incarnation}.0`,
      `${ELSEWHERE}.0`,
    ]
    same(await db.holds(...asked), [false, true, false, true, true], 'holds')
  },
  'up to 16 positions are answered for, more are refused, and so is what is no position': async (db) => {
    await db.create()
    const position = await db.position()
    same(await db.holds(...Array<string>(16).fill(position)), Array(16).fill(true), 'holds of 16')
    const wrong = [
      Array<string>(17).fill(position).join(),
      'x',
      '',
      `${ELSEWHERE}`,
      `${ELSEWHERE}.01`,
      `${ELSEWHERE}.-1`,
      `${ELSEWHERE}.1e3`,
      `${ELSEWHERE}.9007199254740992`,
      `${ELSEWHERE.toUpperCase()}.1`,
    ]
    for (const text of wrong) {
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '', { query: [['holds', text]] })
    }
  },
  'documents counts live documents, each once': async (db) => {
    await db.create()
    const gone = revision('gone', 1)
    await db.push([
      revision('a', 1),
      revision('a', 2),
      revision('b', 1),
      gone,
      revision('gone', 0, { parent: gone, deleted: true }),
    ])
    same((await db.info()).documents, 2, 'documents')
  },
  'what is pushed to one database is in no other': async (db) => {
    await db.create()
    const other = await db.another().create()
    await db.push([revision('a', 1)])
    same(await other.pullAll(), [], 'the other database')
    holds((await db.info()).id !== (await other.info()).id, 'each database has an id of its own')
  },
  'names are [a-z0-9][a-z0-9_.-]{0,127}, and others are refused': async (db) => {
    const long = db.name.padEnd(128, 'a_.-0')
    const named = (name: string) => Object.assign(db.another(), { name })
    await named(long).create()
    for (const name of [`${long}a`, 'A', 'a%20b', '-a', '_a', 'a%2Fb', '%C3%A4', '..%2Fa']) {
      const answer = await named(name).ask('PUT', '', { checksum: undefined })
      holds(answer.status === 400 || answer.status === 404, `PUT ${name}: ${answer.status}`)
      const { code } = jsonOf(answer)
      const codes = ['MYNAH_DATABASE_NAME_INVALID', 'MYNAH_ROUTE_UNKNOWN', 'MYNAH_REQUEST_INVALID']
      holds(codes.includes(String(code)), `PUT ${name}: ${String(code)}`)
    }
  },
  'a database that nobody made is 404 MYNAH_DATABASE_UNKNOWN on each path, and asking does not make it':
    async (db) => {
      for (const path of ['', '/records', '/records/live', '/owed', '/shards']) {
        await db.refuses(404, 'MYNAH_DATABASE_UNKNOWN', 'GET', path)
      }
      for (const path of ['/records/missing', '/records/held', '/records/fetch', '/ranges']) {
        const message = { type: types.message, body: Uint8Array.of(0x90) }
        await db.refuses(404, 'MYNAH_DATABASE_UNKNOWN', 'POST', path, message)
      }
      await db.refuses(404, 'MYNAH_DATABASE_UNKNOWN', 'GET', '')
    },
}
