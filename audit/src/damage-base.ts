import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { copyFolder } from './damage-kinds.js'
import { leavesOf } from './leaves.js'
import type { Random } from './random.js'

/** A document as it must be. */
export interface True {
  /** All leaves' revs, the winner first. */
  readonly revs: readonly string[]
  readonly deleted: boolean
  /** The winner's members as JSON. */
  readonly json: string
}

export type Truth = ReadonlyMap<string, True>

/** What the damage is done to: folders of one database, and of a mirror that has all of it. */
export const bases = { closed: 'closed', killed: 'killed', older: 'older', mirror: 'mirror' } as const
const TRUTH = 'truth.json'
const DOCUMENTS = 1_000
const OPTIONS = { shardBytes: 8_000 }

/**
 * Builds a database with edits, deletes and conflicts, in a closed segment, an open one, and hot files: as a clean close
 * leaves it, as a kill does, and as it was before; and a mirror's.
 */
export async function buildBases(place: string, random: Random): Promise<void> {
  const origin = join(place, 'origin')
  let db = await open(origin, OPTIONS)
  const peer = await open(':memory:')
  await putSome(db, random, 0, DOCUMENTS / 2)
  await db.seal()
  await db.close()
  // As a crash leaves it: the segment is closed with a footer when the next one begins.
  for (const name of readdirSync(origin))
    if (name.startsWith('segment')) appendFileSync(join(origin, name), random.bytes(50))
  db = await open(origin, OPTIONS)
  await putSome(db, random, DOCUMENTS / 2, (3 * DOCUMENTS) / 4)
  await edit(db, random, 0, DOCUMENTS / 2)
  await db.seal()
  await db.close()
  copyFolder(origin, join(place, bases.older))
  db = await open(origin, OPTIONS)
  await conflicts(db, peer, random)
  await edit(db, random, DOCUMENTS / 4, DOCUMENTS)
  await db.seal()
  await putSome(db, random, (3 * DOCUMENTS) / 4, DOCUMENTS)
  await edit(db, random, 0, DOCUMENTS)
  // For an empty group that says that all is synced.
  await new Promise((resolve) => setTimeout(resolve, 1_300))
  copyFolder(origin, join(place, bases.killed))
  await store(db, place)
  const mirror = await open(join(place, bases.mirror), { mode: 'mirror', ...OPTIONS })
  for (const records of (await leavesOf(db, { bodies: true })).values())
    await replicaOf(mirror).merge(records, { whole: true })
  await Promise.all([mirror.close(), peer.close(), db.close()])
  copyFolder(origin, join(place, bases.closed))
}

export function truthOf(place: string): Truth {
  return new Map(JSON.parse(readFileSync(join(place, TRUTH), 'utf8')) as [string, True][])
}

async function store(db: Database, place: string): Promise<void> {
  const truth: [string, True][] = []
  for (const [id, records] of await leavesOf(db, { bodies: true })) {
    const doc = await db.get(id)
    const [winner] = records
    truth.push([
      id,
      { revs: records.map(({ rev }) => rev), deleted: winner!.deleted, json: JSON.stringify(doc ?? null) },
    ])
  }
  writeFileSync(join(place, TRUTH), JSON.stringify(truth))
}

const idOf = (n: number) => `doc-${String(n).padStart(5, '0')}`

function members(random: Random, n: number): object {
  return {
    n,
    at: new Date(1_800_000_000_000 + n),
    value: random.next(),
    text: 'abc '.repeat(random.below(30)),
  }
}

async function putSome(db: Database, random: Random, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 40)
    await db.putMany(
      Array.from({ length: Math.min(40, to - n) }, (_, i) => ({
        id: idOf(n + i),
        ...members(random, n + i),
      })),
    )
}

async function edit(db: Database, random: Random, from: number, to: number): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const id = idOf(random.between(from, to - 1))
    if (random.chance(0.2)) await db.delete(id)
    else if (await db.get(id)) await db.put({ id, ...members(random, i) }, { overwrite: true })
  }
}

/** Edits the same documents on both sides. */
async function conflicts(db: Database, peer: Database, random: Random): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const id = idOf(random.below(DOCUMENTS / 2))
    const before = await db.get(id)
    if (before === undefined) continue
    await replicaOf(peer).merge(await replicaOf(db).leaves(id), { whole: true })
    await db.put({ ...before, side: 'here', i })
    await peer.put({ ...before, side: 'there', i })
    await replicaOf(db).merge(await replicaOf(peer).leaves(id), { whole: true })
  }
}
