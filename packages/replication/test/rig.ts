import { createHash } from 'node:crypto'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from '@mynah/core'
import { type Rejection, type ReplicateOptions, type Replication, replicate } from '@mynah/replication'
import { ManualEnv, rounds } from './manual-env.js'
import { address, MemoryMirror } from './memory-mirror.js'

/** What a test opened, to be closed after it. */
export class Rig implements AsyncDisposable {
  readonly #opened: AsyncDisposable[] = []
  readonly #folders: string[] = []

  async database(mode: 'peer' | 'mirror' = 'peer', location = ':memory:'): Promise<Database> {
    const db = await open(location, { mode })
    this.#opened.push(db)
    return db
  }

  async mirror(): Promise<MemoryMirror> {
    return MemoryMirror.with(await this.database('mirror'))
  }

  /** A path for a folder that goes with the test. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'mynah-replication-'))
    this.#folders.push(folder)
    return join(folder, 'db')
  }

  async copy(from: string): Promise<string> {
    const to = await this.folder()
    await cp(from, to, { recursive: true })
    return to
  }

  /** Replicates with the mirror at `address()`, on a clock of the test's. */
  async replicate(
    db: Database,
    mirror: MemoryMirror,
    options: ReplicateOptions & { readonly env?: ManualEnv } = {},
  ): Promise<Replication> {
    const replication = await replicate(db, {
      mirrors: [address()],
      transport: mirror,
      env: new ManualEnv(),
      ...options,
    })
    this.#opened.push(replication)
    return replication
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true })
  }
}

export function isLive(replication: Replication): boolean {
  return replication.mirrors().some(({ state }) => state === 'live')
}

export function isQuiet(replication: Replication): boolean {
  const { state, ahead, behind } = replication.status()
  return state === 'idle' && ahead === 0 && behind === 0
}

/** How often a request of this kind came. */
export function count(mirror: MemoryMirror, asked: string): number {
  return mirror.asked.filter((one) => one === asked).length
}

/** Every document that the database knows: id, winner, other live leaves; with its last change, deleted ones too. */
export async function known(db: Database): Promise<Map<string, string>> {
  const documents = new Map<string, string>()
  for await (const { id, rev, deleted, conflicts } of db.changes()) {
    documents.set(id, [rev, deleted, ...[...conflicts].sort()].join(' '))
  }
  return documents
}

export async function inboxOf(replication: Replication): Promise<readonly Rejection[]> {
  const inbox: Rejection[] = []
  for await (const rejection of replication.rejected()) inbox.push(rejection)
  return inbox
}

/** Lets backoffs pass until the condition holds. While a session works the clock stands still: work takes no time. */
export async function recover(
  env: ManualEnv,
  replication: Replication,
  condition: () => boolean,
): Promise<void> {
  const resting = () => replication.mirrors().every(({ state }) => state === 'backing-off')
  while (!condition()) await (resting() ? env.advance(100) : rounds(1))
}

/**
 * Lets time pass until the condition holds, in steps in which what is under way goes on, while the mirrors' hearts beat:
 * whoever only waits is not woken by a retry, a pause at random or a stream that is to be opened again.
 */
export async function passes(
  env: ManualEnv,
  mirrors: readonly MemoryMirror[],
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  while (!(await condition())) {
    await env.advance(100)
    for (const mirror of mirrors) mirror.beat()
    await rounds(20)
  }
}

/** Puts documents whose bodies do not compress. */
export async function putMany(db: Database, prefix: string, documents: number, bytes = 0): Promise<void> {
  const noise = (n: number) => {
    const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) =>
      createHash('sha256').update(`${prefix}${n}.${i}`).digest(),
    )
    return new Uint8Array(Buffer.concat(blocks))
  }
  await db.putMany(Array.from({ length: documents }, (_, n) => ({ id: `${prefix}${n}`, noise: noise(n) })))
}
