import { unlessAborted } from '@mynah/core/replica'
import type { Mirror } from '../mirror/mirror.js'
import type { Session } from '../session/session.js'
import { type Deferred, deferred } from '../timing/deferred.js'

/** Somebody who waits for a session; given up when all mirrors that come into question have failed since. */
interface Waiter {
  readonly read: boolean
  readonly untried: Set<Mirror>
  readonly connected: Deferred<Session>
}

/** Those who wait for a session that is of use. */
export class SessionWaiters {
  readonly #waiters = new Set<Waiter>()

  /** The next session that connects. Rejects with a failure once none of the mirrors is untried. */
  async next(
    untried: readonly Mirror[],
    { read, signal }: { readonly read: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<Session> {
    const waiter: Waiter = { read, untried: new Set(untried), connected: deferred() }
    this.#waiters.add(waiter)
    try {
      return await unlessAborted(waiter.connected.promise, signal)
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  connected(session: Session): void {
    for (const { connected } of this.#waiters) connected.resolve(session)
    this.#waiters.clear()
  }

  failed(mirror: Mirror, error: Error): void {
    for (const { untried } of this.#waiters) untried.delete(mirror)
    this.#giveUp(({ untried }) => untried.size === 0, error)
  }

  giveUpReads(reason: Error): void {
    this.#giveUp(({ read }) => read, reason)
  }

  giveUpAll(reason: Error): void {
    this.#giveUp(() => true, reason)
  }

  #giveUp(which: (waiter: Waiter) => boolean, reason: Error): void {
    for (const waiter of [...this.#waiters].filter(which)) {
      this.#waiters.delete(waiter)
      waiter.connected.reject(reason)
    }
  }
}
