import { expect, test } from 'vitest'
import { open } from '../../src/database/open.js'
import { replicaOf } from '../../src/replica.js'

test('replicas that know the same leaves have the same sums, those that do not differ only where they do', async () => {
  const one = await open(':memory:')
  const other = await open(':memory:')
  const [a, b] = [replicaOf(one), replicaOf(other)]
  await one.putMany(Array.from({ length: 700 }, (_, i) => ({ id: `${i % 2 ? 'x' : 'y'}/${i}`, i })))
  const { rev } = (await one.get('x/1'))!
  await one.put({ id: 'x/1', rev, i: -1 })
  await one.delete('y/2')
  const { records } = await a.feed({ since: 0, bodies: true, whole: true })
  for (const record of [...records].reverse()) await b.merge([record], { whole: true })
  for (const range of [{}, { prefix: 'x/' }, { gte: 'x/3', lt: 'y/5' }])
    expect(await a.sum(range)).toEqual(await b.sum(range))
  expect((await a.sum({ prefix: 'x/' })).count).toBe(350)
  await other.put({ id: 'x/new' })
  expect(await a.sum({ prefix: 'x/' })).not.toEqual(await b.sum({ prefix: 'x/' }))
  expect(await a.sum({ prefix: 'y/' })).toEqual(await b.sum({ prefix: 'y/' }))
  expect((await a.sum({})).sum).toHaveLength(32)
  await Promise.all([one.close(), other.close()])
})
