import { isDeepStrictEqual } from 'node:util'
import { type Database, MynahError, type OpenOptions } from '../../src/index.js'
import type { Replica } from '../../src/replica.js'
import { Chance } from './chance.js'
import { faultless, Machine, type Parts } from './machine.js'
import { type Answer, Model } from './model.js'
import { show } from './show.js'
import { Source } from './source.js'

/** Lines told before a difference. */
const LINES = 30
const WIDTH = 200
/** Far longer than any step takes. */
const STEP_MS = 5_000

/** The database and the model differ. */
export class Difference extends Error {
  override readonly name = 'Difference'
}

/** One thing that happens to the database, and what is expected of it. */
export type Step = (history: History) => Promise<void>

/** One seed's random history of a database, beside the model of what it must be. */
export class History {
  readonly chance: Chance
  readonly machine: Machine
  /** What the database must be. */
  model = new Model()
  /** What it may have gone back to after a power cut, oldest first; the last is what it is now. */
  durable: Model[] = [this.model]
  /** What another replica has. */
  readonly remote = new Model()
  readonly source: Source
  readonly relaxed: boolean
  /** Documents that are pinned. */
  readonly pins = new Set<string>()
  readonly counts = new Map<string, number>()
  readonly #lines: string[] = []

  constructor(
    readonly seed: number,
    parts: Parts = faultless,
  ) {
    this.chance = new Chance(seed)
    this.machine = new Machine(this.chance, parts)
    this.source = new Source(this)
    this.relaxed = this.chance.is(0.2)
  }

  get db(): Database {
    return this.machine.db
  }

  get replica(): Replica {
    return this.machine.replica
  }

  /** Now, by the database's clock. */
  get now(): number {
    return this.machine.env.now()
  }

  async open(options: OpenOptions = {}): Promise<void> {
    const { chance } = this
    await this.machine.open({
      shardBytes: chance.pick([200, 600, 2_000]),
      cacheBytes: chance.pick([0, 1_000, 100_000]),
      durability: this.relaxed ? 'relaxed' : 'sync',
      ...options,
    })
    this.source.attach()
  }

  /** The model, to be changed by the next write. */
  next(): Model {
    this.model = this.model.clone()
    this.durable.push(this.model)
    return this.model
  }

  /** Everything is as a write of several made it. */
  become(model: Model): void {
    this.model = model
    this.durable.push(model)
  }

  /** All that was acknowledged so far survives power loss. */
  synced(): void {
    this.durable = [this.model]
  }

  /** Waits for what a relaxed database does in its time: feeds tell only what is durable. */
  async settle(): Promise<void> {
    if (!this.relaxed) return
    await this.machine.env.pass(1_000)
    this.synced()
  }

  tell(line: string): void {
    this.#lines.push(line)
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  same(what: string, found: unknown, expected: unknown): void {
    if (isDeepStrictEqual(found, expected)) return
    throw new Difference(`${what}\n  is       ${show(found)}\n  must be  ${show(expected)}`)
  }

  /** Holds what a promise comes to against what it must come to, or what it may come to. */
  async answers(
    what: string,
    promise: Promise<unknown>,
    expected: Answer | readonly Answer[],
  ): Promise<void> {
    const answer = await answerOf(promise)
    const [first, ...others]: readonly Answer[] = Array.isArray(expected) ? expected : [expected]
    if (!others.some((other) => isDeepStrictEqual(answer, other))) this.same(what, answer, first)
  }

  /** Runs a step; what goes wrong is told with what came before it. */
  async step(name: string, step: Step): Promise<void> {
    this.count(name)
    this.tell(name)
    try {
      await inTime(step(this))
    } catch (error) {
      const about = error instanceof Error ? error.message : String(error)
      const lines = this.#lines
        .slice(-LINES)
        .map((line) => line.slice(0, WIDTH))
        .join('\n  ')
      throw new Difference(`seed ${this.seed}: ${about}\nafter\n  ${lines}`, { cause: error })
    }
  }
}

/** What hangs is an error too: its lines must be told. */
async function inTime(step: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Difference('it never ends')), STEP_MS)
  })
  try {
    await Promise.race([step, late])
  } finally {
    clearTimeout(timer)
  }
}

export async function answerOf(promise: Promise<unknown>): Promise<Answer> {
  try {
    return { ok: true, value: await promise }
  } catch (error) {
    if (error instanceof MynahError) return { ok: false, code: error.code }
    throw error
  }
}
