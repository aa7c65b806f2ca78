import type { Documents } from '@mynah/core'
import { documentsCompliance } from '@mynah/core/compliance'
import { connect } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { push, startMirror, startPeer } from './fixture.js'

async function connected(): Promise<{ documents: Documents; close(): Promise<void>; origin: string }> {
  const { origin } = await startMirror(['db'])
  const documents = await connect(`${origin}/v1/db`)
  return { documents, close: () => documents.close(), origin }
}

for (const { name, run } of documentsCompliance(connected)) test(`over HTTP: ${name}`, run)

test('what is at the address is told', async () => {
  const { origin, server } = await startMirror(['db'], { token: 'secret' })
  await expect(connect(`${origin}/v1/db`)).rejects.toMatchObject({
    code: 'MYNAH_MIRROR_REFUSED',
    answerCode: 'MYNAH_TOKEN_INVALID',
  })
  await expect(connect(`${origin}/v1/none`, { token: 'secret' })).rejects.toMatchObject({
    code: 'MYNAH_DATABASE_UNKNOWN',
  })
  await expect(connect(`${origin}/elsewhere`)).rejects.toThrow(TypeError)
  const documents = await connect(`${origin}/v1/db`, { token: 'secret' })
  onTestFinished(() => documents.close())
  await documents.put({ id: 'a' })
  await server.close()
  await expect(documents.get('a')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
  await expect(documents.put({ id: 'b' })).rejects.toMatchObject({ code: 'MYNAH_MIRROR_UNREACHABLE' })
  const [outcome] = await documents.putMany([{ id: 'c' }])
  expect(outcome).toMatchObject({ ok: false, error: { code: 'MYNAH_MIRROR_UNREACHABLE' } })
})

test('conflicts that replication brought are told of', async () => {
  const { documents, origin, close } = await connected()
  for (const who of ['one', 'two'])
    await push(`${origin}/v1/db`, (await startPeer([{ id: 'a', who }])).replica)
  const read = await documents.read('a')
  expect(read.conflicts).toHaveLength(1)
  const other = await documents.get('a', { rev: read.conflicts[0]! })
  expect([read.doc?.who, other?.who].sort()).toEqual(['one', 'two'])
  await close()
})

test('none are asked for, and none come', async () => {
  const { documents, close } = await connected()
  await documents.put({ id: 'a' })
  for (const range of [{ limit: 0 }, { limit: 0, live: true }]) {
    for await (const change of documents.changes(range)) throw new Error(change.id)
    for await (const { id } of documents.list({ limit: 0 })) throw new Error(id)
  }
  await close()
})

test('live changes end with the mirror, and say so', async () => {
  const { server, origin } = await startMirror(['db'])
  const documents = await connect(`${origin}/v1/db`)
  onTestFinished(() => documents.close())
  await documents.put({ id: 'a' })
  const seen: string[] = []
  const following = (async () => {
    for await (const { id } of documents.changes({ live: true })) {
      seen.push(id)
      void server.close()
    }
  })()
  await expect(following).rejects.toMatchObject({ code: 'MYNAH_MIRROR_UNREACHABLE' })
  expect(seen).toEqual(['a'])
})
