import { unlessAborted } from '@mynah/core/replica'
import { type Deferred, deferred } from './deferred.js'

/** Runs one task on demand, one run at a time: what is demanded while a run is in flight gathers for the next. */
export class Demand {
  #demanded: Deferred<void> = deferred()
  #bell: Deferred<void> = deferred()
  #running = false

  /** Whether a run is in flight. */
  get running(): boolean {
    return this.#running
  }

  /** Demands a run; resolves or rejects with the first that begins after now. Its rejection may be left alone. */
  ask(): Promise<void> {
    this.#bell.resolve()
    return this.#demanded.promise
  }

  /**
   * Serves demands until the signal is aborted or a run fails; rejects with the reason or the failure. What is demanded
   * before it is ready gathers for the first run.
   */
  async serve(run: () => Promise<void>, ready: Promise<unknown>, signal: AbortSignal): Promise<never> {
    try {
      await unlessAborted(ready, signal)
      for (;;) {
        await unlessAborted(this.#bell.promise, signal)
        const demanded = this.#demanded
        this.#demanded = deferred()
        this.#bell = deferred()
        this.#running = true
        try {
          await run()
          demanded.resolve()
        } catch (error) {
          demanded.reject(error)
          throw error
        } finally {
          this.#running = false
        }
      }
    } catch (error) {
      this.#demanded.reject(error)
      throw error
    }
  }
}
