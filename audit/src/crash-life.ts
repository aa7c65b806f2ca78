import { existsSync, mkdirSync } from 'node:fs'
import { type Database, nodeStorage, open } from '@mynah/core'
import type { Child } from './child.js'
import { idOf } from './content.js'
import type { WriterTask } from './crash-writer.js'
import { Disk } from './disk.js'
import { inspect } from './inspect.js'
import { Ledger } from './ledger.js'
import type { Message, Phase } from './message.js'
import { PowerCutStorage } from './power-cut-storage.js'
import type { Random } from './random.js'
import { watchedLevel } from './watched-level.js'

/** A child that has not ended by then hangs. */
const HANG_MS = 60_000

/** Where a child is to die; the chances are the shares. */
const deaths: readonly Phase[] = [
  ...(['opening', 'opening', 'open', 'open', 'open', 'open'] as const),
  ...(['sealing', 'sealing', 'compacting', 'compacting', 'compacting'] as const),
  ...(['closing', 'closing', 'closing'] as const),
]

/** What a round came to. */
export interface Round {
  /** Where the child was when it was killed; undefined when it ended before. */
  readonly killedIn: Phase | undefined
  readonly cut: boolean
}

/** One database through all its crashes: its folder, what was ever written to it, and what it has been through. */
export class CrashLife {
  readonly ledger: Ledger
  readonly #disk: Disk
  readonly #random: Random
  readonly #shardBytes: number
  readonly #powerCuts: boolean
  readonly #lying: boolean
  readonly faults: string[] = []
  /** What happened, for the one who reads a fault. */
  readonly story: string[] = []
  #n = 0
  #document = 0

  constructor(
    readonly place: string,
    random: Random,
    options: { readonly powerCuts: boolean; readonly lying: boolean },
  ) {
    mkdirSync(place, { recursive: true })
    this.#random = random
    this.#disk = new Disk(place)
    this.#powerCuts = options.powerCuts
    this.#lying = options.lying
    this.#shardBytes = random.pick([4_096, 8_192, 16_384])
    this.ledger = new Ledger(random.seed())
  }

  /** Lets a child write, kills it at some moment, and, where asked, cuts the power. */
  async round(child: Child<Message>, options: { readonly cut: boolean }): Promise<Round> {
    const killedIn = await this.#crash(child)
    const cut = options.cut && killedIn !== undefined
    if (cut) this.story.push(`cut: ${this.#disk.cut(this.#random).join(', ') || 'nothing was lost'}`)
    return { killedIn, cut }
  }

  async #crash(child: Child<Message>): Promise<Phase | undefined> {
    const random = this.#random
    const when = random.pick(deaths)
    const after = when === 'open' ? random.between(1, random.pick([50, 700])) : 0
    const delayMs = random.pick([0, 0, 1, 2, 4, 8, 16, when === 'opening' ? 30 : 3])
    let phase = 'ready' as Phase
    let acknowledged = 0
    let doomed = false
    const doom = (): void => {
      if (doomed) return
      doomed = true
      if (delayMs === 0) child.kill()
      else setTimeout(() => child.kill(), delayMs)
    }
    child.onMessage = (message) => {
      if (message.kind === 'phase') phase = message.phase
      if (message.kind === 'ack') acknowledged += message.writes.length
      this.#learn(message)
      // One that never gets to where it was to die dies at its end.
      if (phase === when && acknowledged >= after) doom()
      else if (phase === 'closing' && when !== 'closing') doom()
    }
    const hang = setTimeout(() => {
      this.faults.push(`the child hung in ${phase}`)
      void child.killHanging()
    }, HANG_MS)
    child.send(this.#task(when))
    const { code, signal } = await child.ended
    clearTimeout(hang)
    if (signal !== 'SIGKILL' && (code !== 0 || phase !== 'closed'))
      this.faults.push(`the child ended in ${phase} by itself (${code}): ${child.errors}`)
    const plan = `to die in ${when} after ${after} writes and ${delayMs} ms`
    this.story.push(`${plan}, ${doomed ? 'killed' : 'ended'} in ${phase}, ${acknowledged} acknowledged`)
    return signal === 'SIGKILL' ? phase : undefined
  }

  /** Opens the database, and holds it against the ledger. */
  async inspect(): Promise<void> {
    let db: Database | undefined
    try {
      db = await this.#open()
      const { ids, faults } = await inspect(db, this.ledger)
      this.faults.push(...faults)
      this.story.push(`inspected: ${ids} ids, ${faults.length} faults`)
      await db.close()
    } catch (error) {
      this.faults.push(`failure to open or read: ${error instanceof Error ? error.stack : String(error)}`)
      await db?.close().catch(() => undefined)
      return
    }
    if (!this.#powerCuts) return
    if (this.#random.chance(0.4)) this.#disk.copyIndex()
    if (this.#random.chance(0.2))
      this.story.push(`cut at rest: ${this.#disk.cut(this.#random).join(', ') || 'nothing was lost'}`)
  }

  #open(): Promise<Database> {
    const { folder, kept } = this.#disk
    // The process that was killed was the first, and had made nothing.
    if (!existsSync(folder)) mkdirSync(folder)
    if (!this.#powerCuts) return open(folder, { shardBytes: this.#shardBytes })
    const learn = (message: Message): void => this.#learn(message)
    const storage = new PowerCutStorage(nodeStorage(folder), kept, learn)
    return open(folder, {
      shardBytes: this.#shardBytes,
      storage,
      level: (place) => watchedLevel(place, learn),
    })
  }

  #task(when: Phase): WriterTask {
    while (this.ledger.has(idOf(this.#document))) this.#document += 1
    return {
      location: this.#disk.folder,
      kept: this.#powerCuts ? this.#disk.kept : undefined,
      lying: this.#lying,
      shardBytes: this.#shardBytes,
      contentSeed: this.ledger.seed,
      seed: this.#random.seed(),
      firstN: this.#n,
      firstDocument: this.#document,
      writes: when === 'closing' ? this.#random.between(1, 700) : 1_000,
    }
  }

  #learn(message: Message): void {
    switch (message.kind) {
      case 'phase':
        break
      case 'try':
        for (const [id, n, kind] of message.writes) {
          this.ledger.try(id, n, kind)
          this.#n = Math.max(this.#n, n + 1)
        }
        break
      case 'whole':
        this.ledger.whole(message.writes)
        break
      case 'ack':
        for (const [id, n, rev] of message.writes) this.ledger.acknowledge(id, n, rev)
        break
      case 'fault':
        this.faults.push(message.fault)
        break
      default:
        this.#disk.learn(message)
    }
  }
}
