import type { Env } from '@mynah/core'
import { type Parked, unlessAborted } from '@mynah/core/replica'
import { MirrorsTooFewError, RejectedError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import { type Deferred, deferred } from '../timing/deferred.js'
import { SlowFall } from '../timing/slow-fall.js'

/** How long several mirrors stay in use after somebody waited for so many. */
const WANTED_MS = 30_000

interface Waiter {
  readonly seq: number
  /** Undefined: one, whenever there is one. */
  readonly wanted: number | undefined
  readonly done: Deferred<void>
}

/** Those who wait until everything up to a seq is durable on so many mirrors. */
export class Synced {
  readonly #mirrors: () => readonly Mirror[]
  readonly #wanted: SlowFall
  #ended = false
  readonly #waiters = new Set<Waiter>()

  /** @param options `onWanted` is called when `wanted` is another */
  constructor(
    env: Env,
    options: { readonly mirrors: () => readonly Mirror[]; readonly onWanted: () => void },
  ) {
    this.#mirrors = options.mirrors
    this.#wanted = new SlowFall(env, {
      fallMs: WANTED_MS,
      followed: () => Math.max(0, ...[...this.#waiters].map(({ wanted }) => wanted ?? 1)),
      onChange: options.onWanted,
    })
  }

  /** How many mirrors those who wait need, or have needed a little while ago. */
  get wanted(): number {
    return this.#wanted.value
  }

  /**
   * @throws RangeError when `wanted` is no number of mirrors
   * @throws RejectedError when one of so many mirrors that answered for it all refused documents
   * @throws MirrorsTooFewError when fewer are known than `wanted`
   */
  async wait(seq: number, wanted: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (wanted !== undefined && !(Number.isSafeInteger(wanted) && wanted > 0))
      throw new RangeError(`${wanted} is no number of mirrors`)
    const waiter: Waiter = { seq, wanted, done: deferred() }
    this.#waiters.add(waiter)
    this.settle()
    this.#wanted.look()
    try {
      await unlessAborted(waiter.done.promise, signal)
    } finally {
      this.#waiters.delete(waiter)
      if (!this.#ended) this.#wanted.look()
    }
  }

  /** To be called when a push has moved, or the mirrors are others. */
  settle(): void {
    for (const waiter of this.#waiters) this.#settle(waiter)
  }

  end(reason: Error): void {
    this.#ended = true
    this.#wanted.end()
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
