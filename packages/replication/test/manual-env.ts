import { createHash } from 'node:crypto'
import type { Env, Timer } from '@mynah/core'

/** An `Env` whose clock moves when told to, and whose randomness follows from a seed. */
export class ManualEnv implements Env {
  #nowMs = 1_700_000_000_000
  /** By how much the wall clock was put forward. */
  wallAheadMs = 0
  #draws = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()

  constructor(readonly seed = 1) {}

  now(): number {
    return this.#nowMs + this.wallAheadMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  randomBytes(length: number): Uint8Array {
    this.#draws += 1
    return new Uint8Array(createHash('sha256').update(`${this.seed}.${this.#draws}`).digest()).slice(
      0,
      length,
    )
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  offload<T>(work: () => Promise<T>): Promise<T> {
    return work()
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Sleeps: the time jumps, and what was due meanwhile happens after it, all at once. */
  async sleep(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.advance(0)
  }

  /** Lets the time pass, and what is due happen, in order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
      await this.yield()
    }
    this.#nowMs = endMs
    await this.yield()
  }
}

/** Resolves when the condition holds, looked at after each round of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets the event loop go round, for what should not happen to have had its chance. */
export async function rounds(count = 50): Promise<void> {
  for (let round = 0; round < count; round++) await new Promise((resolve) => setImmediate(resolve))
}
