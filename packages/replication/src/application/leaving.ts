import { MynahError } from '@mynah/core'
import { boundsWithin, type IdPrefixes, type Replica, type ReplicationSettings } from '@mynah/core/replica'
import { rangeOf } from '../reconcile/differences.js'
import { isWithin, type Prefixes, partOf } from '../scope/part.js'
import { inScope, type Scope } from '../scope/scope.js'

/** Documents of which the bodies are dropped together. */
const TOGETHER = 500
/** Past so many parts all that is not in the scope counts as left. */
const PARTS_MAX = 16

/** What is to be dropped where this scope takes the place of the one that is remembered; a first one takes no other's. */
export function leftBy(remembered: ReplicationSettings, scope: Prefixes): readonly IdPrefixes[] {
  const { left = [], mirrors } = remembered
  if (mirrors.length === 0 || isWithin(remembered.scope, scope)) return left
  const all = [...left, partOf(remembered.scope, scope ?? [])]
  return all.length > PARTS_MAX ? [{}] : all
}

/**
 * Drops what left the scope, once: the bodies that a mirror, asked now, holds. What was written here and is on no mirror,
 * what was refused, and what is pinned stays. Leaves stay known, so that a scope that comes back learns only what
 * changed.
 */
export class Leaving {
  readonly #replica: Replica
  readonly #scope: () => Scope
  #parts: readonly IdPrefixes[]
  #running = false

  constructor(replica: Replica, scope: () => Scope, parts: readonly IdPrefixes[] = []) {
    this.#replica = replica
    this.#scope = scope
    this.#parts = parts
  }

  /** What is not dropped yet. */
  get parts(): readonly IdPrefixes[] {
    return this.#parts
  }

  /** To be called when all is pushed; tells whether there was something, and it is done. Goes on with the next call. */
  async run(signal: AbortSignal): Promise<boolean> {
    // A mirror keeps what it holds, until it is none.
    if (this.#running || this.#parts.length === 0 || this.#replica.mode === 'mirror') return false
    this.#running = true
    try {
      for (const part of this.#parts)
        for (const bounds of boundsWithin(part)) await this.#drop(rangeOf(bounds), signal)
      this.#parts = []
      return true
    } catch (error) {
      if (signal.aborted || error instanceof MynahError) return false
      throw error
    } finally {
      this.#running = false
    }
  }

  async #drop(range: ReturnType<typeof rangeOf>, signal: AbortSignal): Promise<void> {
    for (let rest = range; ; ) {
      const ids = (await this.#replica.prints(rest, TOGETHER)).map(({ id }) => id)
      signal.throwIfAborted()
      await this.#replica.evict(ids.filter((id) => !inScope(this.#scope(), id)))
      if (ids.length < TOGETHER) return
      rest = { ...rest, gt: ids.at(-1)! }
    }
  }
}
