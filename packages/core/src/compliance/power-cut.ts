import type { Storage } from '../storage/storage.js'
import { type ComplianceCheck, holds, same } from './check.js'
import type { StorageSubject } from './storage.js'

/** A new, empty place whose power can be cut; each one with other losses. */
export interface PowerCutSubject extends StorageSubject {
  /** Loses what may be lost, and opens the same place as the next process finds it. */
  powerCut(): Promise<Storage>
}

/** Chance decides what a cut loses: a lie comes to light in some of so many places. */
const ROUNDS = 40

/** Bytes that tell where they belong. */
const content = (from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: to - from }, (_, i) => 1 + ((from + i) % 250))

type PowerCutCheck = (subject: PowerCutSubject) => Promise<void>

/** What the port promises of durability, as checks to be run by any test runner, each on several new places. */
export function powerCutCompliance(make: () => Promise<PowerCutSubject>): readonly ComplianceCheck[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: async () => {
      for (let round = 0; round < ROUNDS; round++) await check(await make())
    },
  }))
}

const checks: Readonly<Record<string, PowerCutCheck>> = {
  'what was synced is there after a power cut, whatever was appended to it': async (subject) => {
    const { storage } = subject
    await storage.append('a', 0, content(0, 700))
    await storage.append('a', 700, content(700, 1_000))
    await storage.sync('a')
    await storage.append('a', 1_000, content(1_000, 3_000))
    await begins(await subject.powerCut(), 'a', 1_000, 3_000)
  },
  'every sync counts, not only the first': async (subject) => {
    const { storage } = subject
    for (let length = 0; length < 2_000; length += 400) {
      await storage.append('a', length, content(length, length + 400))
      await storage.sync('a')
    }
    await begins(await subject.powerCut(), 'a', 2_000, 2_000)
  },
  'what replace put there is there after a power cut, whole and alone': async (subject) => {
    const { storage } = subject
    await storage.replace('a', content(0, 2_000))
    await storage.replace('a', content(0, 1_200))
    await storage.replace('b', content(0, 5))
    const after = await subject.powerCut()
    await begins(after, 'a', 1_200, 1_200)
    await begins(after, 'b', 5, 5)
  },
  'a replacement that a power cut meets leaves the old or the new, whole': async (subject) => {
    const { storage } = subject
    await storage.replace('a', content(0, 2_000))
    void storage.replace('a', content(7, 1_207)).catch(() => undefined)
    const after = await subject.powerCut()
    const { length } = required(await after.list(), 'a')
    const found = [...(await after.read('a', 0, 9_999))]
    same(found, length === 2_000 ? [...content(0, 2_000)] : [...content(7, 1_207)])
  },
  'a name that was removed and used again holds what was synced last': async (subject) => {
    const { storage } = subject
    await storage.append('a', 0, content(50, 1_050))
    await storage.sync('a')
    await storage.remove('a')
    await storage.append('a', 0, content(0, 600))
    await storage.sync('a')
    await begins(await subject.powerCut(), 'a', 600, 600)
  },
  'many files that were synced are there after a power cut, next to those that were not': async (subject) => {
    const { storage } = subject
    const names = Array.from({ length: 20 }, (_, i) => `file-${i}`)
    await Promise.all(names.map((name) => storage.append(name, 0, content(0, 600))))
    const kept = names.filter((_, i) => i % 2 === 0)
    await Promise.all(kept.map((name) => storage.sync(name)))
    const after = await subject.powerCut()
    for (const name of kept) await begins(after, name, 600, 600)
  },
  'after a power cut the lock is free, and files grow from where they end': async (subject) => {
    await subject.storage.lock()
    await subject.storage.append('a', 0, content(0, 900))
    await subject.storage.sync('a')
    await subject.storage.append('a', 900, content(900, 1_500))
    const after = await subject.powerCut()
    await after.lock()
    const { length } = required(await after.list(), 'a')
    await after.append('a', length, content(0, 300))
    await after.sync('a')
    same([...(await after.read('a', length, 999))], [...content(0, 300)])
    await begins(after, 'a', 900, 1_800)
  },
}

/** The file is at least so long and at most so long, and begins as it must. */
async function begins(storage: Storage, name: string, least: number, most: number): Promise<void> {
  const { length } = required(await storage.list(), name)
  holds(length >= least && length <= most, `${name} has ${length} bytes: not ${least} to ${most}`)
  const wrong = [...(await storage.read(name, 0, least))].findIndex((byte, i) => byte !== 1 + (i % 250))
  holds(wrong === -1, `byte ${wrong} of ${name} is not what was synced`)
}

function required<T extends { readonly name: string }>(files: readonly T[], name: string): T {
  const file = files.find((one) => one.name === name)
  if (file === undefined) throw new Error(`${name} is gone`)
  return file
}
