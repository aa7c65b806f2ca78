import { expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { ClosedError, DiskFullError, StorageError } from '../../src/errors.js'
import { ReopeningStore } from '../../src/index/reopening-store.js'
import { TestEnv } from '../log/support.js'

const PLENTY = 100_000

/** A store with the keys 0 to 599 on a disk that does as it is told, and a clock that stands. */
class Subject {
  readonly env = new TestEnv()
  fault: DiskOperation['kind'] | undefined
  /** Operations of this kind wait until they are let go. */
  held: DiskOperation['kind'] | undefined
  letGo: () => void = () => undefined
  readonly disk = new MemoryDisk({
    capacityBytes: PLENTY,
    fault: ({ kind }): DiskFault | undefined => (kind === this.fault ? 'error' : undefined),
    pace: async ({ kind }) => {
      if (kind !== this.held) return
      await new Promise<void>((resolve) => {
        this.letGo = resolve
      })
    },
  })
  readonly store = new ReopeningStore({
    store: this.disk.level('index'),
    env: this.env,
    hasRoom: async () => this.disk.usedBytes + 1_000 < this.disk.capacityBytes,
  })

  static async make(): Promise<Subject> {
    const subject = new Subject()
    await subject.store.open()
    const batch = subject.store.batch()
    for (let n = 0; n < 600; n++) batch.put(key(n), Uint8Array.of(n & 255))
    await batch.write()
    return subject
  }

  put(n: number): Promise<void> {
    return this.store.put(key(n), Uint8Array.of(7), { sync: true })
  }

  /** Has a write fail for want of room, then gives room again. */
  async fail(): Promise<void> {
    this.disk.capacityBytes = this.disk.usedBytes
    await expect(this.put(1)).rejects.toThrow(DiskFullError)
    this.disk.capacityBytes = PLENTY
  }

  async keys(): Promise<number> {
    let count = 0
    for await (const _ of this.store.iterator({ gte: key(0), lt: key(9_999) })) count += 1
    return count
  }

  async turns(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await this.env.yield()
  }
}

function key(n: number): Uint8Array {
  return Uint8Array.of(1, n >> 8, n & 255)
}

/** How a call came to its end. */
function end(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => error)
}

test('full: reads go on, writes are refused; with room the next write has the store opened again', async () => {
  const subject = await Subject.make()
  const { store, disk, env } = subject
  disk.capacityBytes = disk.usedBytes
  await expect(subject.put(600)).rejects.toThrow(DiskFullError)
  for (let i = 0; i < 3; i++) {
    await expect(subject.put(600)).rejects.toThrow(DiskFullError)
    await expect(store.writable()).rejects.toThrow(DiskFullError)
    expect(await store.get(key(5))).toEqual(Uint8Array.of(5))
    expect(store.getSync(key(6))).toEqual(Uint8Array.of(6))
    expect(await subject.keys()).toBe(600)
    await env.pass(5_000)
  }
  disk.capacityBytes = PLENTY
  await env.pass(2_000)
  await subject.put(600)
  await subject.put(601)
  expect(await subject.keys()).toBe(602)
  await store.close()
})

test('what a failed store says is asked of the disk now and then only', async () => {
  const subject = await Subject.make()
  await subject.fail()
  subject.disk.capacityBytes = subject.disk.usedBytes
  await expect(subject.store.writable()).rejects.toThrow(DiskFullError)
  subject.disk.capacityBytes = PLENTY
  await expect(subject.store.writable()).rejects.toThrow(DiskFullError)
  await subject.env.pass(2_000)
  await subject.store.writable()
  await subject.put(600)
})

test('reads, scans and writes that come while it is opened again wait for it', async () => {
  const subject = await Subject.make()
  const { store } = subject
  await subject.fail()
  subject.held = 'level-open'
  const writable = store.writable()
  await subject.turns()
  expect((store.supports as { readonly getSync?: boolean }).getSync).toBe(false)
  const reads = [store.get(key(5)), store.getMany([key(5)]), subject.keys(), subject.keys()]
  const write = subject.put(600)
  await subject.turns()
  subject.held = undefined
  subject.letGo()
  expect(await Promise.all(reads)).toEqual([Uint8Array.of(5), [Uint8Array.of(5)], 600, 600])
  await Promise.all([writable, write])
  expect((store.supports as { readonly getSync?: boolean }).getSync).toBe(true)
  expect(await subject.keys()).toBe(601)
})

test('closed, and it does not open: reads are refused until it opens by itself', async () => {
  const subject = await Subject.make()
  const { store, env } = subject
  await subject.fail()
  subject.fault = 'level-open'
  const waiting = end(store.writable())
  expect(await waiting).toBeInstanceOf(StorageError)
  for (let i = 0; i < 3; i++) {
    for (const call of [store.get(key(5)), store.getMany([key(5)]), subject.keys(), subject.put(600)])
      expect(await end(call)).toBeInstanceOf(StorageError)
    expect((store.supports as { readonly getSync?: boolean }).getSync).toBe(false)
    await env.pass(2_000)
  }
  subject.fault = undefined
  await env.pass(2_000)
  expect(await store.get(key(5))).toEqual(Uint8Array.of(5))
  await subject.put(600)
  expect(await subject.keys()).toBe(601)
})

test('a scan that is under way holds it up for a while, then ends with an error', async () => {
  for (const [ends, error] of [
    [true, undefined],
    [false, StorageError],
  ] as const) {
    const subject = await Subject.make()
    await subject.fail()
    const scan = subject.store.iterator({ gte: key(0), lt: key(9_999) })
    expect((await scan.nextv(10)).length).toBe(10)
    const writable = subject.store.writable()
    await subject.turns()
    expect((await scan.nextv(10)).length).toBe(10)
    if (ends) await scan.close()
    else await subject.env.pass(2_000)
    await writable
    await subject.put(600)
    if (error) await expect(scan.nextv(10)).rejects.toThrow(error)
    await scan.close()
    expect(await subject.keys()).toBe(601)
  }
})

test('a scan that the closing ends says so', async () => {
  const { store } = await Subject.make()
  const scan = store.iterator({ gte: key(0), lt: key(9_999) })
  await scan.nextv(10)
  await store.close()
  await expect(scan.nextv(10)).rejects.toThrow(ClosedError)
  await expect(scan.next()).rejects.toThrow(ClosedError)
})

test('closing ends what waits for it to open, whether it opens or not, and leaves no timer', async () => {
  for (const state of ['scanned', 'closing', 'opening', 'down'] as const) {
    const subject = await Subject.make()
    const { store, env } = subject
    await subject.fail()
    const scan = store.iterator({ gte: key(0), lt: key(9_999) })
    if (state !== 'scanned') await scan.close()
    if (state === 'down') subject.fault = 'level-open'
    if (state === 'closing') subject.held = 'level-close'
    if (state === 'opening') subject.held = 'level-open'
    const writable = end(store.writable())
    await subject.turns()
    const calls = [
      writable,
      ...[store.get(key(5)), subject.keys(), subject.keys(), subject.put(600)].map(end),
    ]
    await subject.turns()
    const closed = store.close()
    await subject.turns()
    subject.held = undefined
    subject.letGo()
    await closed
    for (const call of calls) {
      const ended = await call
      if (ended instanceof Error)
        expect(
          [ClosedError, StorageError].some((type) => ended instanceof type),
          `${state}: ${ended}`,
        ).toBe(true)
    }
    subject.fault = undefined
    await env.pass(60_000)
    for (const call of [() => store.get(key(5)), () => subject.keys(), () => subject.put(600)])
      expect(await end((async () => call())()), state).toBeInstanceOf(ClosedError)
    await store.close()
  }
})

test('a batch that was begun before the store was opened again is refused, and can be written anew', async () => {
  const subject = await Subject.make()
  const { store, env } = subject
  const batch = store.batch()
  batch.put(key(700), Uint8Array.of(1))
  await subject.fail()
  await store.writable()
  await expect(
    (async () => {
      batch.put(key(701), Uint8Array.of(1))
      await batch.write()
    })(),
  ).rejects.toThrow()
  await env.pass(2_000)
  await store.writable()
  await store.batch().put(key(700), Uint8Array.of(1)).write()
  expect(await subject.keys()).toBe(601)
})
