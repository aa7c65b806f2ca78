import { open } from '@mynah/core'
import type { Transport } from '@mynah/replication'
import { expect, test } from 'vitest'
import { replicateTo } from '../src/replicate-to.js'

const none = () => Promise.reject(new Error('no network'))
const offline: Transport = { request: none, stream: none, close: async () => {} }

test('the given mirror stays the only one, however its address is spelled', async () => {
  await using db = await open(':memory:')
  const used = async (mirror: string) => {
    await using replication = await replicateTo(db, mirror, { transport: offline })
    return replication.mirrors().map(({ url }) => url)
  }
  expect(await used('http://old.test/v1/x')).toEqual(['http://old.test/v1/x'])
  for (const spelling of ['http://new.test/v1/x/', 'HTTP://New.test:80/v1/x', 'http://new.test/v1/x']) {
    expect(await used(spelling)).toEqual(['http://new.test/v1/x'])
  }
})
