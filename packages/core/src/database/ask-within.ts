import type { Env } from '../env/env.js'
import { UnreachableError } from '../errors.js'
import { unlessAborted, whenAborted } from './aborted.js'

/** How long a read waits for a mirror's answer, unless it says otherwise. */
export const WAIT_MS = 2_000

/** Runs with a signal that fires with the caller's, or when the wait is over. */
export async function askWithin<R>(
  env: Env,
  options: { readonly waitMs?: number; readonly signal?: AbortSignal },
  run: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  // It may have fired while the index was read: nobody is told of that any more.
  options.signal?.throwIfAborted()
  const over = new AbortController()
  const timer = env.setTimer(() => over.abort(new UnreachableError('the mirror')), options.waitMs ?? WAIT_MS)
  // By hand: Node keeps a composed signal, and what it leads to, for as long as somebody listens to it.
  const { signal } = options
  const stop = signal && whenAborted(signal, () => over.abort(signal.reason))
  try {
    return await unlessAborted(run(over.signal), over.signal)
  } finally {
    timer.cancel()
    stop?.()
  }
}
