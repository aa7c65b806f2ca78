import type { Env } from '@mynah/core'
import { MirrorUnreachableError } from '../errors.js'
import { wireLimits } from '../protocol/names.js'
import { deferred } from '../timing/deferred.js'

/** What comes next of a live stream; rejects with MirrorUnreachableError when it is silent for too long. */
export async function beforeSilence<T>(next: Promise<T>, env: Env, mirror: string): Promise<T> {
  const silence = deferred<never>()
  const timer = env.setTimer(() => {
    silence.reject(new MirrorUnreachableError(mirror, `silent for ${wireLimits.silenceMs} ms`))
  }, wireLimits.silenceMs)
  try {
    return await Promise.race([next, silence.promise])
  } finally {
    timer.cancel()
  }
}
