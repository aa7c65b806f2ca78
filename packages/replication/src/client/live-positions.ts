import type { Position } from '@mynah/core/replica'
import { decodeLiveLine } from '../protocol/messages.js'
import { mediaTypes, subpaths } from '../protocol/names.js'
import type { Prefixes } from '../scope/part.js'
import { linkedSignal } from '../timing/linked-signal.js'
import { LiveLines } from './live-lines.js'
import type { MirrorCalls } from './mirror-calls.js'

/**
 * The mirror's position now and after each of its commits that changed ids of these prefixes (undefined: any); undefined
 * for each sign of life in between. Without end, but for a failure or the signal, which is also the way to leave it
 * while it waits.
 */
export async function* livePositions(
  calls: MirrorCalls,
  prefixes: Prefixes,
  followed: AbortSignal,
): AsyncGenerator<Position | undefined, never> {
  const { signal, release } = linkedSignal(followed)
  try {
    return yield* streamed(calls, prefixes, signal)
  } finally {
    release()
  }
}

async function* streamed(
  calls: MirrorCalls,
  prefixes: Prefixes,
  signal: AbortSignal,
): AsyncGenerator<Position | undefined, never> {
  const query = new URLSearchParams(prefixes?.length === 0 ? { none: '1' } : {})
  for (const prefix of prefixes ?? []) query.append('prefix', prefix)
  const path = `${subpaths.live}${query.size > 0 ? `?${query}` : ''}`
  const stream = await calls.stream({ method: 'GET', path, signal, answerType: mediaTypes.lines })
  const chunks = stream.body[Symbol.asyncIterator]()
  const lines = new LiveLines()
  for (;;) {
    const chunk = await calls.chunk(chunks, signal)
    const positions = calls.decoded(stream, () => lines.take(chunk).map(decodeLiveLine))
    yield positions.findLast((position) => position !== undefined)
  }
}
