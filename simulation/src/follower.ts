import { type Change, CursorLostError } from '@mynah/core'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** How far somebody has followed the changes, and what they told: of each document the newest. */
export interface Followed {
  readonly cursor: string | undefined
  readonly told: ReadonlyMap<string, string>
}

/** Follows the changes of a machine's database, from cursor to cursor. */
export class Follower {
  readonly #ground: Ground
  readonly #machine: Computer
  #cursor: string | undefined
  #told = new Map<string, string>()
  /** The machine's life in which it follows just now. */
  #following: number | undefined

  constructor(ground: Ground, machine: Computer) {
    this.#ground = ground
    this.#machine = machine
  }

  remember(): Followed {
    return { cursor: this.#cursor, told: new Map(this.#told) }
  }

  recall(followed: Followed | undefined): void {
    this.#cursor = followed?.cursor
    this.#told = new Map(followed?.told)
    this.#following = undefined
  }

  /** Takes the changes since the last time. */
  async follow({ db }: Process, documents: boolean): Promise<void> {
    const { life, name } = this.#machine
    if (this.#following === life) return
    this.#following = life
    try {
      const since = this.#cursor === undefined ? {} : { since: this.#cursor }
      for await (const change of db.changes({ ...since, documents })) {
        if (life !== this.#machine.life) return
        if (change.doc !== undefined) this.#ground.model.checkBody(change.id, change.doc.rev, change.doc)
        this.#told.set(change.id, changeText(change))
        this.#cursor = change.cursor
      }
    } catch (cause) {
      if (cause instanceof CursorLostError)
        throw new Violation('a cursor holds', `${name} ${this.#cursor}`, { cause })
      throw cause
    } finally {
      if (life === this.#following) this.#following = undefined
    }
  }

  /** Whether the changes, followed to their end, told of all documents as they are. */
  async check(process: Process): Promise<void> {
    await this.follow(process, false)
    for await (const change of process.db.changes()) {
      const [text, told] = [changeText(change), this.#told.get(change.id)]
      if (told !== text)
        throw new Violation('changes miss nothing', `${this.#machine.name}: ${text}, told ${told}`)
    }
  }
}

function changeText({ id, rev, deleted, conflicts }: Change): string {
  return `${id} ${rev}${deleted ? ' deleted' : ''} ${[...conflicts].sort().join()}`
}
