import type { Document, Ref, Stored } from '@mynah/core'
import { answered } from './answered.js'
import type { Editor } from './editor.js'
import type { Computer, Ground, Process } from './ground.js'
import type { Random } from './random.js'
import type { Attempt, Member } from './transactions.js'
import { Violation } from './violation.js'

/** How many of the last transactions a look takes in. */
const LOOK = 30

interface Written {
  readonly ref: Ref
  /** The revision that it follows, where one was read. */
  readonly parent: string | undefined
  /** Undefined for a deletion. */
  readonly put: { readonly stored: Stored; readonly given: Document } | undefined
}

/** The transactions of one machine's application. */
export class Transactor {
  readonly #ground: Ground
  readonly #machine: Computer
  readonly #editor: Editor
  readonly #random: Random

  constructor(ground: Ground, machine: Computer, editor: Editor) {
    this.#ground = ground
    this.#machine = machine
    this.#editor = editor
    this.#random = ground.random.fork()
  }

  /** Edits or deletes these documents together. */
  async transact(process: Process, ids: readonly string[]): Promise<void> {
    const attempt = this.#ground.model.transactions.begin(this.#machine.diskName)
    let written: readonly Written[] = []
    const run = process.db.transaction(async (tx) => {
      const writes: Written[] = []
      for (const id of ids) {
        const doc = await tx.get(id)
        if (doc !== undefined && this.#random.chance(0.15)) {
          this.#ground.model.attemptDelete(id)
          const ref = await tx.delete(id)
          if (ref !== undefined) writes.push({ ref, parent: doc.rev, put: undefined })
        } else {
          const given = { ...this.#editor.draw(id), ...(doc && { rev: doc.rev }) }
          const stored = await tx.put(given)
          writes.push({ ref: stored, parent: doc?.rev, put: { stored, given } })
        }
      }
      attempt.members = writes.map(({ ref: { id, rev }, put }) => ({ id, rev, unique: put !== undefined }))
      written = writes
    })
    await answered(process, run)
    this.#ground.model.transactions.end(attempt)
    this.#ground.count('transactions')
    for (const { ref, parent, put } of written) {
      if (put) await this.#editor.wrote(process, put.stored, put.given)
      else await this.#editor.buried(process, ref.id, ref.rev, parent)
    }
    await this.look(process, [attempt])
  }

  /** What was tried on this disk is there as a whole, or not at all. */
  async look(
    process: Process,
    attempts: readonly Attempt[] = this.#ground.model.transactions
      .intact(this.#machine.diskName)
      .slice(-LOOK),
  ): Promise<void> {
    const { model } = this.#ground
    const { diskName } = this.#machine
    for (const { name, members } of attempts) {
      const known: boolean[] = []
      for (const { id, rev } of members) {
        const leaves = await process.replica.leaves(id)
        for (const leaf of leaves) model.learnPath(id, leaf.rev, leaf.deleted, leaf.path)
        known.push(leaves.some((leaf) => leaf.rev === rev || leaf.path.includes(rev)))
      }
      if (!process.alive || diskName !== this.#machine.diskName) return
      // One that commits while it is looked at is looked at again.
      if (isHalf(members, known)) await this.#again(process, name, members)
    }
  }

  async #again(process: Process, name: string, members: readonly Member[]): Promise<void> {
    const known: boolean[] = []
    for (const { id, rev } of members) {
      const leaves = await process.replica.leaves(id)
      known.push(leaves.some((leaf) => leaf.rev === rev || leaf.path.includes(rev)))
    }
    if (process.alive && isHalf(members, known)) throw half(this.#machine.name, name, members, known)
  }
}

/** Whether some of it is there and some is not. */
export function isHalf(members: readonly Member[], known: readonly boolean[]): boolean {
  return known.includes(false) && members.some(({ unique }, i) => unique && known[i])
}

export function half(
  machine: string,
  name: string,
  members: readonly Member[],
  known: readonly boolean[],
): Violation {
  const parts = members.map(({ id, rev }, i) => `${id} ${rev} is ${known[i] ? 'there' : 'missing'}`)
  return new Violation('a transaction is whole or not there', `${machine}: ${name}: ${parts.join(', ')}`)
}
