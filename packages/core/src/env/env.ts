/** A timer that was set; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/** All that is not deterministic, passed in so that a simulation can own it. */
export interface Env {
  /** Wall clock, milliseconds since 1970-01-01 UTC. May jump either way. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Fresh bytes from a cryptographic source. */
  randomBytes(length: number): Uint8Array
  /** Calls once after `delayMs`; does not keep the process alive. */
  setTimer(callback: () => void, delayMs: number): Timer
  /** Resolves after the events that are ready now have been handled. */
  yield(): Promise<void>
  /** Runs what another thread works at (LZMA); resolves or rejects as that does. */
  offload<T>(work: () => Promise<T>): Promise<T>
}
