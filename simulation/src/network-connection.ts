import type { Scheduler } from './scheduler.js'

/** The time of a network. */
export type NetworkTime = Pick<Scheduler, 'nowMs' | 'after'>

/** Names the way of a request in the trace. */
export interface Way {
  readonly from: string
  readonly to: string
}

/** What can be cut. */
export interface Cuttable extends Way {
  fail(error: unknown): void
  onEnd(run: () => void): void
}

/**
 * A client's end of a connection. It ends once: by success, by failure, by its patience, or by the client's signal. What
 * it had planned is then planned no more.
 */
export class Connection<T> implements Cuttable {
  readonly from: string
  readonly to: string
  readonly result: Promise<T>
  readonly #time: NetworkTime
  readonly #signal: AbortSignal
  readonly #plans = new Set<() => void>()
  readonly #onEnd: (() => void)[] = []
  readonly #onAbort = () => this.fail(this.#signal.reason)
  #settle!: { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void }
  #patience: (() => void) | undefined
  #ended = false

  constructor(time: NetworkTime, { from, to }: Way, signal: AbortSignal) {
    this.from = from
    this.to = to
    this.#time = time
    this.#signal = signal
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Plans something that happens only while the connection lasts. */
  after(delayMs: number, what: string, run: () => void): void {
    if (this.#ended) return
    const cancel = this.#time.after(delayMs, `net ${this.from}→${this.to} ${what}`, () => {
      this.#plans.delete(cancel)
      run()
    })
    this.#plans.add(cancel)
  }

  /** From now on the client waits so long, and no longer. */
  patience(limitMs: number, what: string): void {
    if (this.#ended) return
    this.#patience?.()
    this.#patience = this.#time.after(limitMs, `net ${this.from}→${this.to} ${what}`, () =>
      this.fail(new Error(what)),
    )
  }

  /** Calls when it has ended, or at once. */
  onEnd(run: () => void): void {
    if (this.#ended) run()
    else this.#onEnd.push(run)
  }

  succeed(value: T): void {
    if (this.#end()) this.#settle.resolve(value)
  }

  fail(error: unknown): void {
    if (this.#end()) this.#settle.reject(error)
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#patience?.()
    for (const cancel of this.#plans) cancel()
    this.#plans.clear()
    for (const run of this.#onEnd) run()
    return true
  }
}
