import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.js'
import { CrashLife } from './crash-life.js'
import type { Message, Phase } from './message.js'
import { Random } from './random.js'

export interface CrashAuditOptions {
  /** What the choices follow from. When a process dies within them is up to the machine, and cannot be replayed. */
  readonly seed: number
  /** Processes killed, with what they had written to the operating system left as it was. */
  readonly kills: number
  /** Processes killed, and all that they had not synced lost. */
  readonly cuts: number
  /** Documents with an acknowledged write, at least; more kills follow until there are as many. Default 0. */
  readonly documents?: number
  /** The planted fault: no `sync` reaches the disk. Default false. */
  readonly lying?: boolean
  readonly onProgress?: (counts: CrashCounts) => void
}

export interface CrashCounts {
  kills: number
  cuts: number
  /** Processes that ended before their death came. */
  ends: number
  databases: number
  inspections: number
  /** Writes that were acknowledged. */
  acknowledged: number
  /** Documents with an acknowledged write. */
  documents: number
  /** Transactions that had come to their commit; none was found half. */
  transactions: number
  readonly killedIn: Partial<Record<Phase, number>>
}

export interface CrashReport extends CrashCounts {
  readonly seed: number
  /** What was lost, wrong or did not open; with the story of the database that it happened to. */
  readonly faults: readonly string[]
}

/** Children die and disks sync at the same time: a lane mostly waits. */
const LANES = 3
const ROUNDS = { least: 6, most: 14 }

/** Kills databases and cuts their power until the counts are reached, or something is lost. */
export async function auditCrashes(options: CrashAuditOptions): Promise<CrashReport> {
  const audit = new CrashAudit(options)
  return audit.run()
}

class CrashAudit {
  readonly #options: CrashAuditOptions
  readonly #random: Random
  readonly #place = mkdtempSync(join(tmpdir(), 'mynah-audit-'))
  readonly #faults: string[] = []
  readonly #counts: CrashCounts = {
    kills: 0,
    cuts: 0,
    ends: 0,
    databases: 0,
    inspections: 0,
    acknowledged: 0,
    documents: 0,
    transactions: 0,
    killedIn: {},
  }

  constructor(options: CrashAuditOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
  }

  async run(): Promise<CrashReport> {
    const lanes = Array.from({ length: LANES }, () => new Random(this.#random.seed()))
    await Promise.all(lanes.map((random) => this.#lane(random)))
    if (this.#faults.length === 0) rmSync(this.#place, { recursive: true })
    return { ...this.#counts, seed: this.#options.seed, faults: this.#faults }
  }

  async #lane(random: Random): Promise<void> {
    // The next child gets ready while the last one's database is inspected.
    let next = new Child<Message>('crash-writer')
    const child = (): Child<Message> => {
      const ready = next
      next = new Child<Message>('crash-writer')
      return ready
    }
    while (this.#left('kills', 'cuts', 'documents') > 0 && this.#faults.length === 0)
      await this.#life(random, child)
    next.kill()
    await next.ended
  }

  #left(...what: ('kills' | 'cuts' | 'documents')[]): number {
    return what.reduce((sum, name) => sum + Math.max(0, (this.#options[name] ?? 0) - this.#counts[name]), 0)
  }

  async #life(random: Random, child: () => Child<Message>): Promise<void> {
    const counts = this.#counts
    const powerCuts = this.#left('cuts') > 0 && (this.#left('kills') === 0 || random.chance(0.5))
    const place = join(this.#place, String(++counts.databases))
    const life = new CrashLife(place, random, { powerCuts, lying: this.#options.lying === true })
    const rounds = random.between(ROUNDS.least, ROUNDS.most)
    for (let i = 0; i < rounds && life.faults.length === 0; i++) {
      const cut = powerCuts && this.#left('cuts') > 0 && (this.#left('kills') === 0 || random.chance(0.6))
      if (!cut && this.#left('kills', 'documents') === 0) break
      const round = await life.round(child(), { cut })
      if (round.cut) counts.cuts += 1
      else if (round.killedIn !== undefined) counts.kills += 1
      else counts.ends += 1
      if (round.killedIn !== undefined)
        counts.killedIn[round.killedIn] = (counts.killedIn[round.killedIn] ?? 0) + 1
      // What a crash leaves is sometimes opened by the next child, which may die of it again.
      if (life.faults.length === 0 && random.chance(0.5)) await this.#inspect(life)
      this.#options.onProgress?.(counts)
    }
    if (life.faults.length === 0) await this.#inspect(life)
    counts.acknowledged += life.ledger.acknowledged
    counts.documents += life.ledger.documents
    counts.transactions += life.ledger.wholes.count
    if (life.faults.length === 0) rmSync(place, { recursive: true })
    else this.#faults.push(...life.faults.slice(0, 20), `its story, in ${place}:`, ...life.story)
  }

  async #inspect(life: CrashLife): Promise<void> {
    await life.inspect()
    this.#counts.inspections += 1
  }
}
