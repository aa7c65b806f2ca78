import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { crc32 } from '../../src/bytes/hash.js'
import { MemoryDisk } from '../../src/compliance.js'
import { decodePins, encodePins, pinsFileName, pinsFileOf } from '../../src/database/pins-format.js'
import { type Database, FormatUnknownError, limits, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'
import { MirrorSource, tellAll } from './mirror-source.js'

const DATABASE = '000102030405060708090a0b0c0d0e0f'
const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed())

describe('a file of pins', () => {
  test('gives back what was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(id), fc.nat(63), (ids, number) => {
        const bytes = encodePins(DATABASE, number, ids)
        expect(decodePins(bytes, DATABASE, number)?.sort()).toEqual([...ids].sort())
        expect(encodePins(DATABASE, number, [...ids].reverse())).toEqual(bytes)
        expect(decodePins(bytes, DATABASE, (number + 1) % 64)).toBeUndefined()
        expect(decodePins(bytes, 'ff'.repeat(16), number)).toBeUndefined()
      }),
    )
  })

  test('that is cut, flipped or noise counts as damaged', () => {
    const bytes = encodePins(DATABASE, 7, ['a', 'b/c', 'ä'])
    for (let at = 0; at < bytes.length; at++) {
      expect(decodePins(bytes.subarray(0, at), DATABASE, 7)).toBeUndefined()
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Uint8Array.from(bytes)
        flipped[at]! ^= 1 << bit
        expect(decodePins(flipped, DATABASE, 7)).toBeUndefined()
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expect(decodePins(noise, DATABASE, 7)).toBeUndefined()
      }),
    )
  })

  test('has the bytes of the golden one', async () => {
    const golden = new Uint8Array(await readFile(new URL('../fixtures/pins-1.bin', import.meta.url)))
    expect(encodePins(DATABASE, 7, ['ä', 'sensors/7', 'sensors/12'])).toEqual(golden)
    expect(decodePins(golden, DATABASE, 7)).toEqual(['sensors/12', 'sensors/7', 'ä'])
  })

  test('of a newer format is refused', () => {
    const newer = encodePins(DATABASE, 7, ['a'])
    newer[4] = 2
    const end = newer.length - 4
    new DataView(newer.buffer).setUint32(end, crc32(newer.subarray(0, end)))
    expect(() => decodePins(newer, DATABASE, 7)).toThrow(FormatUnknownError)
  })
})

let disk: MemoryDisk
let peer: Database
let mirror: Database
let source: MirrorSource

async function openPeer(): Promise<Database> {
  const db = await open('peer', { storage: disk.storage(), level: (at) => disk.level(at) })
  replicaOf(db).useSource(source)
  return db
}

async function reopen(): Promise<void> {
  await peer.close()
  peer = await openPeer()
}

beforeEach(async () => {
  disk = new MemoryDisk()
  mirror = await open(':memory:', { mode: 'mirror' })
  source = new MirrorSource(mirror)
  peer = await openPeer()
})
afterEach(() => Promise.all([peer.close(), mirror.close()]))

const some = Array.from({ length: 200 }, (_, n) => `d${n}`)

/** Documents that the peer and the mirror hold. */
async function share(ids: readonly string[]): Promise<void> {
  await peer.putMany(ids.map((one) => ({ id: one })))
  await tellAll(peer, mirror, { bodies: true })
}

/** Leaves that are owed, by id, through all pages. */
async function owed(limit = 3): Promise<string[]> {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await replicaOf(peer).owed({ limit, ...(after !== undefined && { after }) })
    ids.push(...page.leaves.map((leaf) => leaf.id))
    after = page.next
  } while (after !== undefined)
  expect(await replicaOf(peer).owedCount()).toBe(ids.length)
  return ids
}

describe('what is pinned', () => {
  test('is not evicted, also after a restart, until it is unpinned', async () => {
    await share(some)
    await peer.pin(['d1', 'd2', 'not yet', 'd1'])
    expect(await peer.evict(['d1', 'd2', 'd3'])).toBe(1)
    await reopen()
    expect(await peer.stats()).toMatchObject({ pins: 3, notHeld: 1, damage: [] })
    expect(await peer.evict(some)).toBe(197)
    await peer.unpin(['d2', 'never'])
    expect(await peer.evict(some)).toBe(1)
    await reopen()
    expect(await peer.stats()).toMatchObject({ pins: 2, notHeld: 199, owed: 0 })
    expect(await peer.verify()).toEqual({ ok: true, findings: [], repaired: [] })
  })

  test('is owed when it is not held: known before, later, or in a newer revision', async () => {
    await share(some)
    await peer.evict(some)
    expect(await owed()).toEqual([])
    await peer.pin(['d1', 'later', 'd9', 'd2'])
    expect((await owed()).sort()).toEqual(['d1', 'd2', 'd9'])
    await peer.getMany(['d1', 'd2', 'd9'])
    expect(await owed()).toEqual([])
    await mirror.put({ id: 'later' })
    await mirror.put({ id: 'd2', n: 2 }, { overwrite: true })
    const { pinned } = replicaOf(peer)
    await tellAll(mirror, peer, { bodies: false })
    expect(replicaOf(peer).pinned).toBeGreaterThan(pinned)
    expect((await owed()).sort()).toEqual(['d2', 'later'])
    await reopen()
    expect((await owed()).sort()).toEqual(['d2', 'later'])
    await peer.unpin(['later'])
    expect(await owed()).toEqual(['d2'])
  })

  test('while its drop is being written is owed at once', async () => {
    await share(['a'])
    let pinned: Promise<void> | undefined
    const commits: unknown[] = []
    replicaOf(peer).onCommit((position) => commits.push(position))
    source.meanwhile = async () => {
      // Planned in a later turn than the drop, so that the drop is under way.
      pinned = Promise.resolve().then(() => peer.pin(['a']))
    }
    const evicted = await peer.evict(['a'])
    await pinned
    expect(await owed()).toEqual(evicted === 1 ? ['a'] : [])
    expect(commits.length).toBeGreaterThan(0)
  })
})

describe('errors', () => {
  test('ids that are none, and more than fit, change nothing', async () => {
    await expect(peer.pin(['a', ''])).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID' })
    const many = Array.from({ length: limits.pins }, (_, n) => `d${n}`)
    await peer.pin(many.slice(1))
    await expect(peer.pin(['x', 'y'])).rejects.toMatchObject({ code: 'MYNAH_PINS_FULL' })
    expect((await peer.stats()).pins).toBe(limits.pins - 1)
    await peer.pin(['x', 'd1'])
    await reopen()
    expect((await peer.stats()).pins).toBe(limits.pins)
    await peer.unpin(many)
    expect((await peer.stats()).pins).toBe(1)
  })

  test('a disk that is full refuses, and takes it when there is room', async () => {
    disk.capacityBytes = disk.usedBytes
    await expect(peer.pin(['a'])).rejects.toMatchObject({ code: 'MYNAH_DISK_FULL' })
    disk.capacityBytes = Number.POSITIVE_INFINITY
    await peer.pin(['b'])
    await reopen()
    expect((await peer.stats()).pins).toBe(2)
  })
})

test('a hundred thousand, one call each, take few writes when they come at once', async () => {
  let replaced = 0
  disk = new MemoryDisk({
    fault: ({ kind }) => {
      if (kind === 'replace') replaced += 1
      return undefined
    },
  })
  await peer.close()
  peer = await openPeer()
  replaced = 0
  await Promise.all(Array.from({ length: 100_000 }, (_, n) => peer.pin([`d${n}`])))
  expect(replaced).toBeLessThan(150)
  await peer.pin(['one more'])
  expect(replaced).toBeLessThan(151)
  await reopen()
  expect((await peer.stats()).pins).toBe(100_001)
})

test.each([{ kind: 'flip', offset: 30, bit: 3 }, { kind: 'remove' }] as const)(
  'a damaged file is named, costs its own pins alone, and is mended ($kind)',
  async (damage) => {
    await peer.pin(some)
    const name = pinsFileName(pinsFileOf('d7'))
    const lost = some.filter((one) => pinsFileOf(one) === pinsFileOf('d7'))
    await peer.close()
    disk.damage(name, damage)
    peer = await openPeer()
    expect(await peer.stats()).toMatchObject({ pins: 200 - lost.length, damage: [{ file: name }] })
    expect(await peer.verify()).toMatchObject({ ok: false, findings: [{ file: name }] })
    expect(await peer.verify({ repair: true })).toMatchObject({ repaired: [name] })
    expect(await peer.verify()).toMatchObject({ ok: true })
    await reopen()
    expect(await peer.stats()).toMatchObject({ pins: 200 - lost.length, damage: [] })
    disk.damage(name, { kind: 'remove' })
    await peer.pin(['d7'])
    expect(await peer.verify()).toMatchObject({ ok: true })
  },
)

test('whatever ends the process at any disk operation, what was pinned is, and nothing else is amiss', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
  for (const what of ['kill', 'powerCut'] as const) {
    for (let at = 0, reached = true; reached; at++) {
      let operations = -1
      let struck = () => {}
      const over = new Promise<void>((resolve) => {
        struck = resolve
      })
      const machine = new MemoryDisk({
        random: seeded(seed + at),
        pace: async () => {
          if (operations < 0 || operations++ !== at) return
          machine[what]()
          struck()
        },
      })
      const on = () => ({ storage: machine.storage(), level: (one: string) => machine.level(one) })
      const db = await open('db', on())
      const done = new Set<string>()
      const gone = new Set<string>()
      operations = 0
      const work = (async () => {
        for (const one of ['a', 'b', 'c', 'd']) {
          await db.pin([one, `${one}2`])
          done.add(one).add(`${one}2`)
        }
        gone.add('a')
        await db.unpin(['a'])
        done.delete('a')
      })()
      await Promise.race([work, over])
      reached = operations > at
      operations = -1
      if (!reached) await db.close()
      const again = await open('db', on())
      const { pins, damage } = await again.stats()
      expect(damage, `SEED=${seed} ${what} at ${at}`).toEqual([])
      const stored: string[] = []
      for (const { name, length } of await machine.storage().list())
        if (name.startsWith('pins-'))
          stored.push(
            ...decodePins(await machine.storage().read(name, 0, length), again.id, Number(name.slice(5)))!,
          )
      expect(pins).toBe(stored.length)
      const sure = [...done].filter((one) => !gone.has(one))
      expect(stored, `SEED=${seed} ${what} at ${at}`).toEqual(expect.arrayContaining(sure))
      expect(['a', 'a2', 'b', 'b2', 'c', 'c2', 'd', 'd2']).toEqual(expect.arrayContaining(stored))
      if (!reached) expect(stored).not.toContain('a')
      await again.close()
    }
  }
})
