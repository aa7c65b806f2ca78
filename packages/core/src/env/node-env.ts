import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Env } from './env.js'

/** The real clock, randomness and timers of Node. */
export const nodeEnv: Env = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  offload: (work) => work(),
}
