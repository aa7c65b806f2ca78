import { readable } from '../changes/ancestry.js'
import { changedDocuments } from '../changes/feed.js'
import { formatPosition, parsePosition, positionAt } from '../changes/positions.js'
import { conflictsOf } from '../document/tree.js'
import { CursorLostError } from '../errors.js'
import { whenAborted } from './aborted.js'
import { checkOptions } from './arguments.js'
import { assemble } from './assemble.js'
import type { Context } from './context.js'
import type { Change, ChangesOptions } from './documents.js'
import type { IndexKeeper } from './index-keeper.js'
import type { Replica } from './replica.js'

/** The documents that changed, each once at its newest change; with `live`, and as they go on changing. */
export async function* watchChanges(
  context: Context,
  keeper: IndexKeeper,
  replica: Replica,
  options: ChangesOptions,
): AsyncGenerator<Change> {
  checkOptions('changes', options)
  const { log, manifest } = context
  const { damage } = manifest.data
  let since = startOf(replica, options.since)
  let left = options.limit ?? Number.POSITIVE_INFINITY
  const commits = new Commits(context, replica, options.signal)
  try {
    while (left > 0) {
      const until = log.synced
      for await (const change of keeper.scan(() => changesBetween(context, since, until, options))) {
        yield change
        left -= 1
        if (left === 0) return
      }
      // What was found lost on the way is told again past the end: to whoever does not go on it would be missing.
      if (!options.live && manifest.data.damage !== damage)
        throw new CursorLostError(formatPosition(positionAt(log.incarnations, until)))
      since = until
      if (!options.live || !(await commits.past(until))) return
    }
  } finally {
    commits.close()
  }
}

function startOf(replica: Replica, cursor: string | undefined): number {
  if (cursor === undefined) return 0
  if (cursor === 'now') return replica.position().seq
  const position = parsePosition(cursor)
  if (position === undefined || !replica.holds(position)) throw new CursorLostError(cursor)
  return position.seq
}

async function* changesBetween(
  { log, index }: Context,
  since: number,
  until: number,
  options: ChangesOptions,
): AsyncGenerator<Change> {
  for await (const { documents } of changedDocuments(log, index, since, until)) {
    for (const { seq, id, entry } of documents) {
      options.signal?.throwIfAborted()
      const winner = entry.leaves[0]!
      if (options.prefix !== undefined && !id.startsWith(options.prefix)) continue
      const wanted = options.documents && !winner.deleted && winner.bodySeq !== 0
      const body = wanted ? (await readable(log, winner.bodySeq))?.body : undefined
      const cursor = formatPosition(positionAt(log.incarnations, seq))
      const conflicts = conflictsOf(entry.leaves).map((leaf) => leaf.rev)
      const doc = body && !(body instanceof Uint8Array) ? { doc: assemble(id, winner.rev, body) } : {}
      yield { cursor, seq, id, rev: winner.rev, deleted: winner.deleted, conflicts, ...doc }
    }
  }
}

/** Waits for durable commits. */
class Commits {
  readonly #context: Context
  readonly #replica: Replica
  readonly #signal: AbortSignal | undefined
  readonly #stop: () => void
  #wake: () => void = () => undefined

  constructor(context: Context, replica: Replica, signal: AbortSignal | undefined) {
    this.#context = context
    this.#replica = replica
    this.#signal = signal
    const wake = () => this.#wake()
    const unsubscribe = replica.onCommit(wake)
    const stop = signal && whenAborted(signal, wake)
    this.#stop = () => {
      unsubscribe()
      stop?.()
    }
  }

  /** True when there is something durable past `seq`; false when the database closes. @throws the signal's reason */
  async past(seq: number): Promise<boolean> {
    for (;;) {
      this.#signal?.throwIfAborted()
      if (this.#context.closing) return false
      if (this.#replica.position().seq > seq) return true
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#stop()
  }
}
