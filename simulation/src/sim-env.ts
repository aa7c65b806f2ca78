import type { Env, Timer } from '@mynah/core'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'

const EPOCH_MS = Date.UTC(2026, 0, 1)
/** What another thread takes at least, and on average beyond that. */
const OFFLOAD_MS = 0.3
const OFFLOAD_MORE_MS = 1.5

/** A machine's clock: it may be wrong, run fast or slow, and be set. It outlives the processes. */
export class Clock {
  readonly #scheduler: Scheduler
  #offsetMs = 0
  /** How much faster than true time; 0.001 gains a millisecond a second. */
  #drift = 0
  #driftSinceMs = 0
  #elapsedMs = 0

  constructor(scheduler: Scheduler, options: { readonly offsetMs: number; readonly drift: number }) {
    this.#scheduler = scheduler
    this.#offsetMs = options.offsetMs
    this.#drift = options.drift
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.#offsetMs + this.monotonicMs())
  }

  monotonicMs(): number {
    return this.#elapsedMs + (this.#scheduler.nowMs - this.#driftSinceMs) * (1 + this.#drift)
  }

  /** Sets the wall clock, either way. */
  jump(ms: number): void {
    this.#offsetMs += ms
  }

  drift(drift: number): void {
    this.#elapsedMs = this.monotonicMs()
    this.#driftSinceMs = this.#scheduler.nowMs
    this.#drift = drift
  }

  /** How long the machine takes for what it believes to be `ms`. */
  trueMs(ms: number): number {
    return ms / (1 + this.#drift)
  }
}

export interface SimEnvOptions {
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly random: Random
  /** For the trace. */
  readonly name: string
}

/** The environment of one process: after `end` nothing that it waits for ever comes. */
export class SimEnv implements Env {
  readonly #options: SimEnvOptions
  #ended = false

  constructor(options: SimEnvOptions) {
    this.#options = options
  }

  now(): number {
    return this.#options.clock.now()
  }

  monotonicMs(): number {
    return this.#options.clock.monotonicMs()
  }

  randomBytes(length: number): Uint8Array {
    return this.#options.random.bytes(length)
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    // As Node does; and what rounding leaves of a delay would not move the time at all.
    return { cancel: this.#plan(this.#options.clock.trueMs(Math.max(1, delayMs)), 'timer', callback) }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => this.#plan(0, 'yield', resolve))
  }

  offload<T>(work: () => Promise<T>): Promise<T> {
    const { random } = this.#options
    const working = work()
    // It is handled when its time has come.
    working.catch(() => undefined)
    return new Promise((resolve, reject) => {
      this.#plan(OFFLOAD_MS + random.around(OFFLOAD_MORE_MS), 'offload', () => working.then(resolve, reject))
    })
  }

  /** The process is gone. */
  end(): void {
    this.#ended = true
  }

  #plan(delayMs: number, label: string, run: () => void | Promise<void>): () => void {
    const { scheduler, name } = this.#options
    return scheduler.after(delayMs, `${name} ${label}`, () => (this.#ended ? undefined : run()))
  }
}
