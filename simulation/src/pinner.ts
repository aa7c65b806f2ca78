import { answered } from './answered.js'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** How long a pinned document may take to be fetched once nothing goes wrong any more. */
const LIMIT_MS = 600_000
const LOOK_MS = 5_000

/** Pins documents on one machine, and sees that they are held in the end. */
export class Pinner {
  readonly #ground: Ground
  readonly #machine: Computer
  /** Documents that are pinned for sure. */
  #pinned = new Set<string>()

  constructor(ground: Ground, machine: Computer) {
    this.#ground = ground
    this.#machine = machine
  }

  remember(): ReadonlySet<string> {
    return new Set(this.#pinned)
  }

  recall(pinned: ReadonlySet<string> | undefined): void {
    this.#pinned = new Set(pinned)
  }

  async pin(process: Process, ids: readonly string[]): Promise<void> {
    const pinned = this.#pinned
    await answered(process, process.db.pin(ids))
    this.#ground.count('pins')
    // Another disk may have taken the place of the one that was told.
    if (pinned === this.#pinned) for (const id of ids) pinned.add(id)
  }

  async unpin(process: Process, ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#pinned.delete(id)
    await answered(process, process.db.unpin(ids))
    // One that was pinned at the same time may be either.
    for (const id of ids) this.#pinned.delete(id)
  }

  /** Of what mirrors have, all that is pinned comes to be held, where the index covers it. */
  async check(process: Process, live: ReadonlySet<string>): Promise<void> {
    const { scheduler } = this.#ground
    const { scope } = process.setup
    const endMs = scheduler.nowMs + LIMIT_MS
    for (const id of this.#pinned) {
      if (!live.has(id) || scope?.some((prefix) => id.startsWith(prefix)) === false) continue
      for (;;) {
        const { doc, current } = await process.db.read(id, { freshness: 'local' })
        if (doc !== undefined && current) break
        if (scheduler.nowMs > endMs)
          throw new Violation('what is pinned is held', `${this.#machine.name}: ${id}`)
        await scheduler.sleep(LOOK_MS, 'look')
      }
    }
  }
}
