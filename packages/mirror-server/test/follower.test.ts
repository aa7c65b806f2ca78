import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { nodeEnv } from '@mynah/core'
import { connect } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { Databases } from '../src/databases/databases.js'
import { Follower } from '../src/databases/follower.js'
import { ready, run } from './child.js'
import { startMirror, temporaryFolder } from './fixture.js'

const WAIT = { timeout: 15_000 }

async function documentsOf(origin: string, name: string, token?: string) {
  const documents = await connect(`${origin}/v1/${name}`, token === undefined ? {} : { token })
  onTestFinished(() => documents.close())
  return documents
}

test('a mirror of another has all its databases, and gives back what is written to it', async () => {
  const first = await startMirror(['a', 'b'], { token: 'one' })
  const a = await documentsOf(first.origin, 'a', 'one')
  for (let n = 0; n < 20; n++) await a.put({ id: `d${n}`, n })
  const mirrorOf = [{ url: first.origin, token: 'one' }]
  const second = await startMirror([], { token: 'two', mirrorOf })
  const headers = { authorization: 'Bearer two' }
  const names = async () =>
    ((await (await fetch(`${second.origin}/v1`, { headers })).json()) as { databases: string[] }).databases
  await expect.poll(names, WAIT).toEqual(['a', 'b'])
  const copy = await documentsOf(second.origin, 'a', 'two')
  await expect.poll(() => copy.count(), WAIT).toBe(20)
  await expect.poll(() => copy.get('d7').catch(() => undefined), WAIT).toMatchObject({ n: 7 })
  await copy.put({ id: 'back', n: 1 })
  await expect.poll(() => a.get('back').catch(() => undefined), WAIT).toMatchObject({ n: 1 })
})

test('a mirror goes on without the one that it follows, and catches up with it', async () => {
  const first = await startMirror(['a'])
  const second = await startMirror([], { mirrorOf: [{ url: `${first.origin}/v1/a` }] })
  const copy = await (async () => {
    await expect.poll(async () => (await fetch(`${second.origin}/v1/a`)).status, WAIT).toBe(200)
    return documentsOf(second.origin, 'a')
  })()
  await (await documentsOf(first.origin, 'a')).put({ id: 'early' })
  await expect.poll(() => copy.count(), WAIT).toBe(1)
  const port = Number(new URL(first.origin).port)
  await first.server.close()
  await copy.put({ id: 'meanwhile' })
  const again = await startMirror([], { data: first.data, port })
  const back = await documentsOf(again.origin, 'a')
  await expect.poll(() => back.count(), { timeout: 40_000 }).toBe(2)
}, 60_000)

test('a folder that the disk does not list is told, and ends nothing', async () => {
  const first = await startMirror(['a'])
  const file = join(first.data, 'no folder')
  await writeFile(file, '')
  const { follower, told } = following(first.origin, new Databases(file, nodeEnv))
  await expect.poll(() => told.join(), WAIT).toMatch(/ENOTDIR/)
  await follower.stop()
})

test('what is no mirror is refused', async () => {
  for (const url of ['ftp://x', 'http://u:p@x', 'http://x/v1/Not-a-name!', 'http://x?y'])
    await expect(startMirror([], { mirrorOf: [{ url }] })).rejects.toThrow(TypeError)
})

/** Follows one mirror, from a server that may have four databases. */
function following(url: string, databases: Databases) {
  const told: string[] = []
  const follower = new Follower({
    mirrors: [{ url }],
    databases,
    databasesMax: 4,
    env: nodeEnv,
    onError: (_url, { message }) => told.push(message),
  })
  follower.start()
  return { follower, told }
}

/** A server that says of itself what is wanted, and remembers what it was sent. */
async function stranger(status: number, databases: readonly string[]) {
  const authorizations = new Set<string | undefined>()
  const server = createServer((request, response) => {
    authorizations.add(request.headers.authorization)
    const isRoot = request.url === '/v1'
    response.writeHead(isRoot ? status : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isRoot ? { name: 'mynah', databases } : { code: 'MYNAH_X', message: '' }))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, authorizations }
}

test('a mirror that names very many databases has few of them made here, always the same; it is told', async () => {
  const all = Array.from({ length: 5_000 }, (_, n) => `d${n}`)
  const { url } = await stranger(200, all)
  const databases = new Databases(await temporaryFolder(), nodeEnv)
  await databases.create('own')
  const { follower, told } = following(url, databases)
  await expect.poll(async () => (await follower.statuses()).size, WAIT).toBe(4)
  expect([...(await databases.names())].sort()).toEqual(['d0', 'd1', 'd10', 'own'])
  expect(told.join()).toMatch(/name 4997 databases more than the 4 that are followed/)
  await follower.stop()
  await databases.close()
})

test('without a token of its own a mirror sends none to those that it follows, and says what is missing', async () => {
  const { url, authorizations } = await stranger(401, [])
  const databases = new Databases(await temporaryFolder(), nodeEnv)
  const { follower, told } = following(url, databases)
  await expect.poll(() => told.join(), WAIT).toMatch(/wants a token.*MYNAH_MIRROR_TOKEN/)
  expect([...authorizations]).toEqual([undefined])
  await follower.stop()
  await databases.close()
})

test.each([
  ['nothing', {}, undefined],
  ['what was given for it', { MYNAH_MIRROR_TOKEN: 'for-it' }, 'Bearer for-it'],
])('what opens a daemon is not sent to those that it follows, but %s', async (_, env, sent) => {
  const { url, authorizations } = await stranger(200, ['a'])
  const args = ['serve', '--data', await temporaryFolder(), '--port', '0', '--mirror-of', url]
  await ready(run(args, { MYNAH_TOKEN: 'opens-this-one', ...env }))
  await expect.poll(() => authorizations.size, WAIT).toBe(1)
  expect([...authorizations]).toEqual([sent])
})
