import { rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Database, type OpenOptions, open } from '@mynah/core'
import { createMirror } from '@mynah/mirror-server'
import { replicate } from '@mynah/replication'
import { bases, type Truth, truthOf } from './damage-base.js'
import { isTyped, leafFaults, standingOf, unreported } from './damage-check.js'
import { copyFolder, type Damage, damage } from './damage-kinds.js'
import type { DamageCase, DamageNews } from './damage-sweep.js'
import { tell } from './message.js'
import { Random } from './random.js'

const HEAL_MS = 20_000
const OPTIONS: OpenOptions = { shardBytes: 8_000, cacheBytes: 64 * 1024 }

const say = (news: DamageNews) => tell(news)

/** Damages one copy of a database after another, and says what came of each. */
async function main(place: string, name: string): Promise<void> {
  const truth = truthOf(place)
  const data = join(place, `mirrors-${name}`)
  rmSync(data, { recursive: true, force: true })
  copyFolder(join(place, bases.mirror), join(data, 'db'))
  const server = await createMirror({ data })
  await server.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/v1/db`
  say({ kind: 'ready' })
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line) as DamageCase
    const folder = join(place, `case-${asked.seed}`)
    const life = new DamagedLife(place, folder, url, truth, asked)
    await life.run()
    if (life.faults.length === 0) rmSync(folder, { recursive: true, force: true })
    say({ kind: 'done', damage: life.done, harmed: life.harmed, faults: life.faults.slice(0, 12) })
  }
  await server.close()
  process.exit(0)
}

class DamagedLife {
  readonly faults: string[] = []
  harmed = 0
  done: Damage | undefined
  readonly #random: Random

  constructor(
    readonly place: string,
    readonly folder: string,
    readonly url: string,
    readonly truth: Truth,
    readonly asked: DamageCase,
  ) {
    this.#random = new Random(asked.seed)
  }

  async run(): Promise<void> {
    const { base, open: isOpen, mode } = this.asked
    rmSync(this.folder, { recursive: true, force: true })
    copyFolder(join(this.place, bases[base]), this.folder)
    if (!isOpen) await this.#damage()
    if (!isOpen && this.done === undefined) return
    for (const step of ['first', 'again'] as const) {
      const db = await this.#step(`${step} open`, () => open(this.folder, { ...OPTIONS, mode }))
      if (db === undefined) return
      try {
        if (step === 'first' && isOpen) {
          await this.#step('a read', () => db.get('doc-00007'))
          await this.#damage()
        }
        if (step === 'first' && this.done === undefined) return
        await this.#step(`${step} check`, () => this.#check(db, step))
        if (step === 'again') await this.#step('healing', () => this.#heal(db))
      } finally {
        await this.#step(`${step} close`, () => db.close())
      }
    }
  }

  async #damage(): Promise<void> {
    const older = join(this.place, bases.older)
    this.done = await damage(this.folder, older, this.asked.kind, this.asked.sort, this.#random)
    if (this.done) say({ kind: 'damaged', damage: this.done })
  }

  async #step<T>(what: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run()
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.faults.push(`${what}: ${isTyped(error) ? 'typed, but not to be: ' : ''}${text}`)
      return undefined
    }
  }

  async #check(db: Database, step: 'first' | 'again'): Promise<void> {
    const { harmed, faults } = await standingOf(db, this.truth)
    this.harmed = Math.max(this.harmed, harmed.size)
    this.faults.push(...faults.map((fault) => `${step}: ${fault}`))
    const id = `zz-${this.asked.seed}-${step}`
    const put = await db.put({ id, step })
    await db.put({ ...put, step: 'edited' })
    const report = await db.verify()
    this.faults.push(...unreported(harmed, await db.stats(), report).map((fault) => `${step}: ${fault}`))
    if (step === 'again') return
    await db.verify({ repair: true })
    const second = await db.verify()
    for (const { file, fault } of second.findings)
      if (file !== 'log') this.faults.push(`after the repair: ${file}: ${fault}`)
    await db.seal()
    const after = await standingOf(db, this.truth)
    this.faults.push(...after.faults.map((fault) => `after the repair: ${fault}`))
    if ((await db.get(id))?.step !== 'edited') this.faults.push(`${id} is not as it was written`)
  }

  async #heal(db: Database): Promise<void> {
    const replication = await replicate(db, { mirrors: [this.url] })
    try {
      await replication.sync()
      const end = Date.now() + HEAL_MS
      for (let owing = true; owing && Date.now() < end; ) {
        const { owed, doubt } = await db.stats()
        owing = doubt || owed > 0
        if (owing) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      const faults = await leafFaults(db, this.truth)
      this.faults.push(...faults.map((fault) => `not healed: ${fault}`))
      const { harmed, faults: wrong } = await standingOf(db, this.truth)
      this.faults.push(...wrong.map((fault) => `healed: ${fault}`))
      for (const id of harmed) this.faults.push(`healed, but ${id} is not current`)
    } finally {
      await replication.close()
    }
  }
}

await main(process.argv[2]!, process.argv[3]!)
