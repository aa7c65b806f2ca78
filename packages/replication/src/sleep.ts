import type { Env } from '@mynah/core'
import { deferred, unlessAborted } from './deferred.js'

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
