import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeEnv } from '@mynah/core'
import { connect } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { Databases } from '../src/databases/databases.js'
import { Follower } from '../src/databases/follower.js'
import { startMirror } from './fixture.js'

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
  const told: string[] = []
  const follower = new Follower({
    mirrors: [{ url: first.origin }],
    databases: new Databases(file, nodeEnv),
    env: nodeEnv,
    onError: (_url, { message }) => told.push(message),
  })
  follower.start()
  await expect.poll(() => told.join(), WAIT).toMatch(/ENOTDIR/)
  await follower.stop()
})

test('what is no mirror is refused', async () => {
  for (const url of ['ftp://x', 'http://u:p@x', 'http://x/v1/Not-a-name!', 'http://x?y'])
    await expect(startMirror([], { mirrorOf: [{ url }] })).rejects.toThrow(TypeError)
})
