import { checkFunction } from '@mynah/core/replica'
import type { ReplicationEvents } from './replication.js'

type Listeners = { readonly [E in keyof ReplicationEvents]: Set<(value: ReplicationEvents[E]) => void> }

/** Those who listen. */
export class Events {
  readonly #listeners: Listeners = {
    status: new Set(),
    change: new Set(),
    conflict: new Set(),
    rejected: new Set(),
    error: new Set(),
  }

  on<E extends keyof ReplicationEvents>(
    event: E,
    listener: (value: ReplicationEvents[E]) => void,
  ): () => void {
    checkFunction('listener', listener)
    if (!Object.hasOwn(this.#listeners, event)) throw new TypeError(`there is no event ${String(event)}`)
    // One function may listen twice, so each call gets an entry of its own.
    const entry = (value: ReplicationEvents[E]) => listener(value)
    this.#listeners[event].add(entry)
    return () => this.#listeners[event].delete(entry)
  }

  /** Whether anybody listens. */
  wanted(event: keyof ReplicationEvents): boolean {
    return this.#listeners[event].size > 0
  }

  emit<E extends keyof ReplicationEvents>(event: E, value: ReplicationEvents[E]): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(value)
      } catch (error) {
        // The application's mistake must neither stop replication nor be hidden.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
