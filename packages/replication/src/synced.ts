import type { Parked } from '@mynah/core/replica'
import { type Deferred, deferred, unlessAborted } from './deferred.js'
import { RejectedError } from './errors.js'
import type { Mirror } from './mirror.js'

/** Those who wait until everything up to a seq is durable on a mirror. */
export class Synced {
  readonly #mirrors: () => readonly Mirror[]
  readonly #waiters = new Set<{ readonly seq: number; readonly done: Deferred<void> }>()

  constructor(mirrors: () => readonly Mirror[]) {
    this.#mirrors = mirrors
  }

  /** @throws RejectedError when the mirror that has it all refused documents */
  async wait(seq: number, signal: AbortSignal | undefined): Promise<void> {
    const waiter = { seq, done: deferred<void>() }
    this.#waiters.add(waiter)
    this.settle()
    try {
      await unlessAborted(waiter.done.promise, signal)
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  /** To be called when a push has moved. */
  settle(): void {
    for (const { seq, done } of this.#waiters) {
      const parked = this.#parkedAt(seq)
      if (parked === undefined) continue
      if (parked.length > 0) done.reject(new RejectedError(parked))
      else done.resolve()
    }
  }

  end(reason: Error): void {
    for (const { done } of this.#waiters) done.reject(reason)
  }

  /** What the first mirror that has everything up to the seq refused; undefined when none has. */
  #parkedAt(seq: number): readonly Parked[] | undefined {
    if (seq === 0) return []
    return this.#mirrors().find((mirror) => mirror.pushedAll() >= seq)?.progress?.parked
  }
}
