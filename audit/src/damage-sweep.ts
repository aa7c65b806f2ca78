import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.js'
import { buildBases } from './damage-base.js'
import { type Damage, type DamageKind, damageKinds, type FileSort, fileSorts } from './damage-kinds.js'
import { Random } from './random.js'

/** One damage to be done and looked at; all follows from it. */
export interface DamageCase {
  readonly seed: number
  readonly kind: DamageKind
  readonly sort: FileSort
  readonly base: 'closed' | 'killed'
  /** Whether the database is open when it happens. */
  readonly open: boolean
  readonly mode: 'peer' | 'mirror'
}

/** What the child tells. */
export type DamageNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'damaged'; readonly damage: Damage }
  | {
      readonly kind: 'done'
      /** Undefined where the choice made no sense, a swap with one file. */
      readonly damage: Damage | undefined
      readonly harmed: number
      readonly faults: readonly string[]
    }

export interface DamageSweepOptions {
  readonly seed: number
  readonly damages: number
  readonly onProgress?: (counts: DamageCounts) => void
}

export interface DamageCounts {
  damages: number
  /** Of those, done under an open database. */
  open: number
  /** That cost documents, until the mirror was reached. */
  harmful: number
  /** Processes that died. */
  deaths: number
  readonly bySort: Record<FileSort, number>
}

export interface DamageReport extends DamageCounts {
  readonly seed: number
  readonly faults: readonly string[]
}

const LANES = 2
/** What holds data, more often. */
const SORTS: readonly FileSort[] = [
  ...fileSorts,
  'manifest',
  'hot',
  'hot',
  'segment',
  'segment',
  'segment',
  'index',
  'index',
  'index',
]
/** A case that takes longer hangs. */
const CASE_MS = 60_000

/** Damages a database's files until there were as many damages, and tells what was not reported, healed or survived. */
export async function sweepDamage(options: DamageSweepOptions): Promise<DamageReport> {
  return new DamageSweep(options).run()
}

class DamageSweep {
  readonly #options: DamageSweepOptions
  readonly #random: Random
  readonly #place = mkdtempSync(join(tmpdir(), 'mynah-damage-'))
  readonly #faults: string[] = []
  readonly #counts: DamageCounts = {
    damages: 0,
    open: 0,
    harmful: 0,
    deaths: 0,
    bySort: { manifest: 0, hot: 0, segment: 0, index: 0, lock: 0 },
  }

  constructor(options: DamageSweepOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
  }

  async run(): Promise<DamageReport> {
    await buildBases(this.#place, this.#random)
    await Promise.all(Array.from({ length: LANES }, (_, lane) => this.#lane(String(lane))))
    if (this.#faults.length === 0) rmSync(this.#place, { recursive: true })
    else this.#faults.push(`the folders are in ${this.#place}`)
    return { ...this.#counts, seed: this.#options.seed, faults: this.#faults }
  }

  async #lane(name: string): Promise<void> {
    let lane: Lane | undefined
    while (this.#counts.damages < this.#options.damages && this.#faults.length < 40) {
      lane ??= await Lane.begin(this.#place, name)
      const asked = this.#next()
      const { damage, harmed, faults, dead } = await lane.run(asked)
      if (dead) {
        lane = undefined
        this.#counts.deaths += 1
      }
      if (damage === undefined && faults.length === 0) continue
      this.#counts.damages += 1
      this.#counts.bySort[asked.sort] += 1
      if (asked.open) this.#counts.open += 1
      if (harmed > 0) this.#counts.harmful += 1
      if (faults.length > 0) this.#faults.push(`${JSON.stringify(asked)} ${damage?.file}:`, ...faults)
      this.#options.onProgress?.(this.#counts)
    }
    await lane?.end()
  }

  #next(): DamageCase {
    const random = this.#random
    const sort = random.pick(SORTS)
    const kind = random.pick(damageKinds)
    // LevelDB maps its files: one that gets shorter under it takes the process with it, whatever that does.
    const isOpen = sort !== 'index' && sort !== 'lock' && random.chance(0.45)
    // What a kill leaves of the last commits may be torn by that kill: where more than a bit is gone, it tells nothing.
    const tail = sort === 'hot' && kind !== 'flip a bit' && kind !== 'append'
    return {
      seed: random.seed(),
      kind,
      sort,
      base: !tail && random.chance(0.4) ? 'killed' : 'closed',
      open: isOpen,
      mode: random.chance(0.3) ? 'mirror' : 'peer',
    }
  }
}

interface Outcome {
  readonly damage: Damage | undefined
  readonly harmed: number
  readonly faults: readonly string[]
  readonly dead: boolean
}

/** A child that takes one case after another. */
class Lane {
  readonly #child: Child<DamageNews>
  #hear: (news: DamageNews) => void = () => undefined

  private constructor(child: Child<DamageNews>) {
    this.#child = child
    child.onMessage = (news) => this.#hear(news)
  }

  static async begin(place: string, name: string): Promise<Lane> {
    const lane = new Lane(new Child<DamageNews>('damage-child', [place, name]))
    await Promise.race([
      new Promise<void>((resolve) => {
        lane.#hear = () => resolve()
      }),
      lane.#child.ended.then(() => {
        throw new Error(`the child does not begin: ${lane.#child.errors}`)
      }),
    ])
    return lane
  }

  async run(asked: DamageCase): Promise<Outcome> {
    let damage: Damage | undefined
    const hangs = setTimeout(() => void this.#child.killHanging(), CASE_MS)
    try {
      return await Promise.race([
        new Promise<Outcome>((resolve) => {
          this.#hear = (news) => {
            if (news.kind === 'damaged') damage = news.damage
            if (news.kind === 'done') resolve({ ...news, dead: false })
          }
          this.#child.send(asked)
        }),
        this.#child.ended.then(({ code, signal }) => ({
          damage,
          harmed: 0,
          faults: [`the process died: ${code ?? signal} ${this.#child.errors.slice(-3_000)}`],
          dead: true,
        })),
      ])
    } finally {
      clearTimeout(hangs)
    }
  }

  async end(): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }
}
