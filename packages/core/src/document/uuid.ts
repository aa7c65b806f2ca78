import { v7 } from 'uuid'
import type { Env } from '../env/env.js'

const RANDOM_BYTES = 16
/** Randomness is fetched for so many at a time: a call of the source costs ten times a UUID. */
const BATCH = 64

/**
 * A source of UUIDv7s, lower-case: each greater, as text, than the one before, also within a millisecond and when the
 * clock goes back.
 * @see RFC 9562, section 6.2, method 1: a counter of 32 bits that begins at random below 2^31
 */
export function uuidSource(env: Env): () => string {
  let msecs = Number.NEGATIVE_INFINITY
  let seq = 0
  let pool = new Uint8Array(0)
  return () => {
    if (pool.length === 0) pool = new Uint8Array(env.randomBytes(BATCH * RANDOM_BYTES))
    const random = pool.subarray(0, RANDOM_BYTES)
    pool = pool.subarray(RANDOM_BYTES)
    const now = Math.floor(env.now())
    if (now > msecs) {
      msecs = now
      seq = new DataView(random.buffer, random.byteOffset).getUint32(0) >>> 1
    } else {
      seq = (seq + 1) >>> 0
      if (seq === 0) msecs++
    }
    return v7({ random, msecs, seq })
  }
}
