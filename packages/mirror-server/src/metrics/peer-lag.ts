import type { Env } from '@mynah/core'

/** A peer that was not heard of for so long is gone, milliseconds. */
const FORGET_MS = 60 * 60 * 1_000
const PEERS_MAX = 10_000

interface Heard {
  readonly database: string
  readonly token: string
  readonly seq: number
  readonly atMs: number
}

/** How far those who pull have come, by database and token: a peer tells no name of its own when it pulls. */
export class PeerLag {
  /** The one that was heard of longest ago first. */
  readonly #heard = new Map<string, Heard>()
  readonly #env: Pick<Env, 'monotonicMs'>

  constructor(env: Pick<Env, 'monotonicMs'>) {
    this.#env = env
  }

  /** Who asks for what comes after a seq has all up to it. */
  heard(database: string, token: string, seq: number): void {
    const key = `${database} ${token}`
    this.#heard.delete(key)
    this.#heard.set(key, { database, token, seq, atMs: this.#env.monotonicMs() })
    const [oldest] = this.#heard.keys()
    if (this.#heard.size > PEERS_MAX) this.#heard.delete(oldest!)
  }

  of(database: string): readonly Pick<Heard, 'token' | 'seq'>[] {
    const since = this.#env.monotonicMs() - FORGET_MS
    for (const [key, { atMs }] of this.#heard) {
      if (atMs >= since) break
      this.#heard.delete(key)
    }
    return [...this.#heard.values()].filter((heard) => heard.database === database)
  }
}
