import type { Env } from '@mynah/core'
import { unlessAborted } from '@mynah/core/replica'
import { deferred } from './deferred.js'

/** Resolves after the delay; rejects with the signal's reason when that comes first. */
export async function sleep(env: Env, delayMs: number, signal: AbortSignal): Promise<void> {
  const over = deferred<void>()
  const timer = env.setTimer(() => over.resolve(), delayMs)
  try {
    await unlessAborted(over.promise, signal)
  } finally {
    timer.cancel()
  }
}

/** Resolves after the delay, which may be infinite, or when the bell has rung or the signal is aborted. */
export async function napping(
  env: Env,
  delayMs: number,
  bell: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const timer = delayMs === Number.POSITIVE_INFINITY ? undefined : deferred<void>()
  const running = timer && env.setTimer(() => timer.resolve(), delayMs)
  try {
    await unlessAborted(timer === undefined ? bell : Promise.race([bell, timer.promise]), signal)
  } catch {
    // Over.
  } finally {
    running?.cancel()
  }
}
