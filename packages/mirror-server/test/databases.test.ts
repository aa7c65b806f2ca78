import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeEnv, open } from '@mynah/core'
import { expect, onTestFinished, test } from 'vitest'
import { Databases } from '../src/databases/databases.js'
import { serverLimits } from '../src/limits.js'
import { failureOf, push, startMirror, startPeer, temporaryFolder } from './fixture.js'
import { ManualEnv } from './manual-env.js'

test('whoever asks at the same time gets the same database', async () => {
  const folder = await temporaryFolder()
  const databases = new Databases(folder, nodeEnv)
  onTestFinished(() => databases.close())
  const made = await Promise.all([databases.create('a'), databases.create('a'), databases.create('a')])
  const got = await Promise.all([databases.get('a'), databases.get('a')])
  expect(new Set([...made.map(({ opened }) => opened), ...got]).size).toBe(1)
})

test('only folders that could be databases are named', async () => {
  const folder = await temporaryFolder()
  const databases = new Databases(folder, nodeEnv)
  onTestFinished(() => databases.close())
  await databases.create('b')
  await databases.create('a')
  await mkdir(join(folder, 'Lost+Found'))
  await writeFile(join(folder, 'file'), '')
  expect(await databases.names()).toEqual(['a', 'b'])
  expect(await new Databases(join(folder, 'none'), nodeEnv).names()).toEqual([])
})

test('asking for what is not there makes no files', async () => {
  const folder = await temporaryFolder()
  const databases = new Databases(folder, nodeEnv)
  await expect(databases.get('none')).rejects.toMatchObject({ code: 'MYNAH_DATABASE_UNKNOWN' })
  expect(await readdir(folder)).toEqual([])
  await databases.close()
  await expect(databases.get('a')).rejects.toMatchObject({ code: 'MYNAH_CLOSED' })
  await expect(databases.create('a')).rejects.toMatchObject({ code: 'MYNAH_CLOSED' })
})

test('a database that does not open is no matter to the others, and is tried again later', async () => {
  const data = await temporaryFolder()
  const other = await open(join(data, 'taken'))
  onTestFinished(() => other.close())
  const env = new ManualEnv()
  const { origin } = await startMirror(['fine'], { data, env })
  expect(await failureOf(await fetch(`${origin}/v1/taken`))).toEqual([503, 'MYNAH_LOCKED'])
  expect(await failureOf(await fetch(`${origin}/v1/taken`, { method: 'PUT' }))).toEqual([503, 'MYNAH_LOCKED'])
  const { replica } = await startPeer([{ id: 'x' }])
  expect((await push(`${origin}/v1/fine`, replica)).taken).toBe(1)
  await other.close()
  expect((await fetch(`${origin}/v1/taken`)).status).toBe(503)
  env.advance(serverLimits.reopenMs)
  expect((await fetch(`${origin}/v1/taken`)).status).toBe(200)
})

test('a failure tells the client its code and nothing of this machine', async () => {
  const data = await temporaryFolder()
  const other = await open(join(data, 'taken'))
  onTestFinished(() => other.close())
  const { origin } = await startMirror([], { data })
  const response = await fetch(`${origin}/v1/taken`)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.text()).not.toContain(data)
})

test('a damaged database answers with its code', async () => {
  const { origin, server, data } = await startMirror(['a', 'b'])
  const { replica } = await startPeer([{ id: 'x' }])
  await push(`${origin}/v1/a`, replica)
  await server.close()
  const files = await readdir(join(data, 'a'))
  for (const file of files.filter((name) => name.startsWith('manifest'))) await rm(join(data, 'a', file))
  const again = await startMirror([], { data })
  const [status, code] = await failureOf(await fetch(`${again.origin}/v1/a`))
  expect([status, code]).toEqual([503, 'MYNAH_MANIFEST_CORRUPT'])
  expect((await fetch(`${again.origin}/v1/b`)).status).toBe(200)
})

test('a drop that was cut off leaves nothing that the next start does not take away', async () => {
  const data = await temporaryFolder()
  const first = new Databases(data, nodeEnv)
  await first.create('a')
  await first.drop('a')
  await expect(first.get('a')).rejects.toMatchObject({ code: 'MYNAH_DATABASE_UNKNOWN' })
  await first.create('a')
  await first.close()
  // As if the process had ended between the rename and the removal.
  await rename(join(data, 'a'), join(data, '.dropped-a.0123456789abcdef'))
  const { origin } = await startMirror([], { data })
  expect(await (await fetch(`${origin}/v1`)).json()).toMatchObject({ databases: [] })
  expect(await readdir(data)).toEqual([])
})

test('a database that does not open makes the mirror not ready, without saying which, and can be dropped', async () => {
  const data = await temporaryFolder()
  await (await open(join(data, 'broken'))).close()
  for (const file of await readdir(join(data, 'broken')))
    if (file.startsWith('manifest')) await writeFile(join(data, 'broken', file), 'no manifest')
  const { origin } = await startMirror(['whole'], { data })
  const ready = await fetch(`${origin}/ready`)
  expect([ready.headers.get('retry-after'), ...(await failureOf(ready.clone()))]).toEqual([
    '1',
    503,
    'MYNAH_NOT_READY',
  ])
  expect(await ready.text()).not.toContain('broken')
  expect((await fetch(`${origin}/v1/whole`)).status).toBe(200)
  expect((await fetch(`${origin}/v1/broken`, { method: 'DELETE' })).status).toBe(204)
  expect((await fetch(`${origin}/ready`)).status).toBe(200)
})
