import { type Document, REMOVE } from '@mynah/core'
import { answered } from './answered.js'
import type { Editor } from './editor.js'
import type { Ground, Process } from './ground.js'
import { WRITE } from './model.js'
import type { Random } from './random.js'

/** Ends conflicts on one machine. */
export class Resolver {
  readonly #ground: Ground
  readonly #editor: Editor
  readonly #random: Random

  constructor(ground: Ground, editor: Editor) {
    this.#ground = ground
    this.#editor = editor
    this.#random = ground.random.fork()
  }

  /** One that the database lists, or what is given. */
  async resolveAny(process: Process, id: string): Promise<void> {
    const listed: string[] = []
    for await (const conflict of process.db.conflicts()) {
      if (!process.alive) return
      listed.push(conflict.id)
    }
    await this.resolve(process, listed.length > 0 ? this.#random.pick(listed) : id)
  }

  async resolve(process: Process, id: string): Promise<void> {
    const { model } = this.#ground
    let given: (Document & { readonly id: string }) | undefined
    let winner: string | undefined
    // Whatever it makes of the document, the others end under tombstones.
    model.attemptDelete(id)
    const stored = await answered(
      process,
      process.db.resolve(id, ({ leaves }) => {
        for (const { rev, ...members } of leaves) model.checkBody(id, rev, { ...members, rev })
        winner = leaves[0]?.rev
        given = this.#random.chance(0.1) ? undefined : this.#editor.draw(id)
        return given ?? REMOVE
      }),
    )
    if (winner === undefined) return
    this.#ground.count('resolved conflicts')
    // Where no conflict was left by then, it is what the document is: another's edit of the same winner, maybe.
    const isNew = stored !== undefined && stored[WRITE] === given?.[WRITE]
    if (isNew && given !== undefined) await this.#editor.wrote(process, stored, { ...given, rev: winner })
    await this.#editor.learn(process, id)
  }

  /** By hand: the other leaves are deleted. */
  async settle(process: Process, id: string): Promise<void> {
    const { conflicts } = await this.#editor.read(process, id, { freshness: 'index' })
    for (const rev of conflicts) await this.#editor.deleteRevision(process, { id, rev })
  }
}
