import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { open } from '../../src/index.js'
import type { Storage } from '../../src/storage/storage.js'

/** A storage of which one read waits. */
function holdingUp(storage: Storage): {
  readonly storage: Storage
  hold(): { begun: Promise<void>; release(): void }
} {
  let next: (() => Promise<void>) | undefined
  const read: Storage['read'] = async (name, offset, length) => {
    const wait = next
    next = undefined
    await wait?.()
    return storage.read(name, offset, length)
  }
  const held = new Proxy(storage, {
    get: (target, name) => {
      if (name === 'read') return read
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return {
    storage: held,
    hold() {
      let release = () => {}
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      const begun = new Promise<void>((resolve) => {
        next = () => {
          resolve()
          return released
        }
      })
      return { begun, release: () => release() }
    },
  }
}

test('a read whose revision is superseded and compacted under it is of the new one, and current', async () => {
  const disk = new MemoryDisk()
  const { storage, hold } = holdingUp(disk.storage())
  const db = await open('db', {
    storage,
    level: (location) => disk.level(location),
    shardBytes: 400,
    cacheBytes: 1,
  })
  const first = await db.put({ id: 'a', n: 1 })
  await db.seal()
  await db.close()
  const again = await open('db', { storage, level: (location) => disk.level(location), cacheBytes: 1 })
  const held = hold()
  const reading = again.read('a')
  await held.begun
  await again.put({ ...first, n: 2 })
  await again.put({ id: 'other' })
  await again.seal()
  await again.compact()
  held.release()
  expect(await reading).toMatchObject({ doc: { n: 2 }, current: true })
  await again.close()
})
