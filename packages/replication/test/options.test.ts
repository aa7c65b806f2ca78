import { open } from '@mynah/core'
import { expect, test } from 'vitest'
import { type ReplicateOptions, replicate } from '../src/index.js'

const address = 'http://127.0.0.1:1/v1/sensors'

// What a program without types gives.
test.each<[string, unknown, RegExp]>([
  ['mirrors', address, /^mirrors must be an array/],
  ['mirrors', ['127.0.0.1:8800/v1/sensors'], /http/],
  ['mirrors', ['sensors'], /^A mirror's address is a URL/],
  ['mirrors', [{ adress: address }], /^A mirror's address is a URL/],
  ['mirrors', [{ url: address, token: 5 }], /^A token is/],
  ['scope', ['site-4/'], /^scope must be/],
  ['scope', { prefixes: 'site-4/' }, /^scope must be/],
  ['scope', null, /^scope must be/],
  ['hold', 'everything', /^hold must be/],
  ['discovery', true, /^discovery must be/],
  ['live', 'no', /^live must be/],
  ['intervalMs', 0, /^intervalMs must be/],
  ['intervalMs', '60s', /^intervalMs must be/],
  ['onConflict', 'newest', /^onConflict must be/],
  ['maxBytesPerHour', '5MB', /is no number of bytes per hour/],
])('%s: %j is no option; nothing of it is remembered', async (name, value, message) => {
  await using db = await open(':memory:')
  const wrong: ReplicateOptions = Object.fromEntries([[name, value]])
  await expect(replicate(db, wrong)).rejects.toThrow(message)
  await using replication = await replicate(db)
  expect(replication.mirrors()).toEqual([])
})

test('a listener to no event that there is is told so', async () => {
  await using db = await open(':memory:')
  await using replication = await replicate(db)
  for (const event of ['changes', 'toString'])
    expect(() => Reflect.apply(replication.on, replication, [event, () => {}])).toThrow(/^there is no event/)
})
