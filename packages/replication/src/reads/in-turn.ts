import type { Env } from '@mynah/core'
import type { MirrorClient } from '../client/mirror-client.js'
import { MirrorUnreachableError } from '../errors.js'
import { deferred } from '../timing/deferred.js'
import { linkedSignal } from '../timing/linked-signal.js'
import { napping, sleep } from '../timing/sleep.js'

/** A mirror that can be asked, and until when. */
export interface Reachable {
  readonly client: MirrorClient
  readonly signal: AbortSignal
}

/** One mirror that is asked. */
export interface Asked extends Reachable {
  /** To be called when bytes of its answer come: it is not late. */
  readonly onBytes: () => void
  /** Whether it is another than the one in use, which nobody has greeted. */
  readonly isSpare: boolean
}

export interface InTurnOptions {
  readonly env: Env
  /** The mirror in use, or the next that connects. Rejects when all fail. */
  readonly reach: () => Promise<Reachable>
  /** Others that may be asked now, the best first. */
  readonly spare: () => readonly MirrorClient[]
  /** Calls when there is a mirror more; returns the way to stop. */
  readonly onAdded: (listener: () => void) => () => void
  /** Without a sign of life for so long a mirror is late, milliseconds. */
  readonly lateMs: number
}

/** How often it is looked whether another mirror may be asked now, where none might. */
const LOOK_MS = 1_000

/**
 * Asks the mirror in use; where it is late or fails also another, and so on; gives the one that answered first, and ends
 * what the others were asked. Rejects with the first failure when all have failed.
 * @param ask rejects where that mirror has no answer
 * @see https://research.google/pubs/the-tail-at-scale/ (hedged requests)
 */
export async function askInTurn(
  { env, reach, spare, onAdded, lateMs }: InTurnOptions,
  ask: (asked: Asked) => Promise<void>,
): Promise<Asked> {
  const over = new AbortController()
  const answered = deferred<Asked>()
  const addresses = new Set<string>()
  let lastSignMs = env.monotonicMs()
  let asking = 0
  let failure: unknown

  const begin = (reached: Promise<Reachable>, isSpare: boolean) => {
    asking += 1
    lastSignMs = env.monotonicMs()
    const one = async () => {
      const { client, signal } = await reached
      if (!isSpare && addresses.has(client.address))
        throw new MirrorUnreachableError(client.address, 'it is asked already')
      addresses.add(client.address)
      const linked = linkedSignal(signal, over.signal)
      const onBytes = () => {
        lastSignMs = env.monotonicMs()
      }
      try {
        await ask({ client, signal: linked.signal, onBytes, isSpare })
        answered.resolve({ client, signal, onBytes, isSpare })
      } finally {
        linked.release()
      }
    }
    one().catch((error) => {
      asking -= 1
      failure ??= error
      if (!next() && asking === 0) answered.reject(failure)
    })
  }
  const next = () => {
    const client = over.signal.aborted ? undefined : spare().find((one) => !addresses.has(one.address))
    if (client === undefined) return false
    addresses.add(client.address)
    begin(Promise.resolve({ client, signal: over.signal }), true)
    return true
  }
  const anotherMirror = async () => {
    const bell = deferred<void>()
    const stop = onAdded(bell.resolve)
    await napping(env, LOOK_MS, bell.promise, over.signal)
    stop()
  }
  const watch = async () => {
    // The one in use is found by then, where there is one.
    await env.yield()
    while (!over.signal.aborted) {
      const leftMs = lastSignMs + lateMs - env.monotonicMs()
      if (leftMs > 0) await sleep(env, leftMs, over.signal).catch(() => {})
      else if (!next()) await anotherMirror()
    }
  }

  begin(reach(), false)
  void watch()
  try {
    return await answered.promise
  } finally {
    over.abort(new Error('another mirror answered'))
  }
}
