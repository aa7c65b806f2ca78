import type { Parked } from '@mynah/core/replica'
import { type Deferred, deferred, unlessAborted } from './deferred.js'
import { MirrorsTooFewError, RejectedError } from './errors.js'
import type { Mirror } from './mirror.js'

interface Waiter {
  readonly seq: number
  /** Undefined: one, whenever there is one. */
  readonly wanted: number | undefined
  readonly done: Deferred<void>
}

/** Those who wait until everything up to a seq is durable on so many mirrors. */
export class Synced {
  readonly #mirrors: () => readonly Mirror[]
  readonly #onWanted: () => void
  readonly #waiters = new Set<Waiter>()

  /** @param onWanted called when `wanted` is another */
  constructor(mirrors: () => readonly Mirror[], onWanted: () => void) {
    this.#mirrors = mirrors
    this.#onWanted = onWanted
  }

  /** How many mirrors those who wait need. */
  get wanted(): number {
    return Math.max(0, ...[...this.#waiters].map(({ wanted }) => wanted ?? 1))
  }

  /**
   * @throws RejectedError when one of so many mirrors that answered for it all refused documents
   * @throws MirrorsTooFewError when fewer are known than `wanted`
   */
  async wait(seq: number, wanted: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    const waiter: Waiter = { seq, wanted, done: deferred() }
    this.#waiters.add(waiter)
    this.settle()
    this.#onWanted()
    try {
      await unlessAborted(waiter.done.promise, signal)
    } finally {
      this.#waiters.delete(waiter)
      this.#onWanted()
    }
  }

  /** To be called when a push has moved, or the mirrors are others. */
  settle(): void {
    for (const waiter of this.#waiters) this.#settle(waiter)
  }

  end(reason: Error): void {
    for (const { done } of this.#waiters) done.reject(reason)
  }

  #settle({ seq, wanted, done }: Waiter): void {
    const mirrors = distinct(this.#mirrors())
    if (wanted !== undefined && mirrors.length < wanted) {
      done.reject(new MirrorsTooFewError(wanted, mirrors.length))
    } else if (seq === 0) {
      done.resolve()
    } else {
      const parked = mirrors.filter((mirror) => mirror.pushedAll() >= seq).map(parkedAt)
      if (parked.length < (wanted ?? 1)) return
      const accepted = parked.filter((refused) => refused.length === 0)
      if (accepted.length >= (wanted ?? 1)) done.resolve()
      else done.reject(new RejectedError(parked.flat()))
    }
  }
}

function parkedAt({ progress }: Mirror): readonly Parked[] {
  return progress?.parked ?? []
}

/** One for each database, as far as is known: several addresses may lead to one. The one that has come furthest. */
function distinct(mirrors: readonly Mirror[]): readonly Mirror[] {
  const byDatabase = new Map<string, Mirror>()
  for (const mirror of mirrors) {
    const key = mirror.databaseId ?? mirror.address
    const known = byDatabase.get(key)
    if (known === undefined || known.pushedAll() < mirror.pushedAll()) byDatabase.set(key, mirror)
  }
  return [...byDatabase.values()]
}
