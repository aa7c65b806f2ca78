import type { Env } from '@mynah/core'
import { MirrorUnreachableError } from '../errors.js'
import { sleep } from '../timing/sleep.js'

/** A stream that ends before is a failure. */
const LASTING_MS = 30_000
/** The next one begins within this, at random: all streams of a mirror may have ended at once. */
const REOPEN_MS = 3_000

/**
 * A stream without end, of streams: one that has lasted for a while and then ends is followed by another, as there are
 * proxies that let none live for longer than a minute. One that ends sooner fails.
 */
export async function* lastingStream<T>(
  open: () => AsyncGenerator<T, never>,
  { env, signal }: { readonly env: Env; readonly signal: AbortSignal },
): AsyncGenerator<T, never> {
  for (;;) {
    const begunMs = env.monotonicMs()
    try {
      yield* open()
    } catch (error) {
      const lasted = env.monotonicMs() - begunMs >= LASTING_MS
      if (!(error instanceof MirrorUnreachableError) || !lasted) throw error
      const [spread = 0] = env.randomBytes(1)
      await sleep(env, (REOPEN_MS * spread) / 256, signal)
    }
  }
}
