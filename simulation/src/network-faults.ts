import type { Random } from './random.js'

/** What a network does to what travels over it. Each is the probability for one request unless said otherwise. */
export interface NetworkFaults {
  /** A typical delay one way, milliseconds. */
  readonly latencyMs: number
  /** How far delays spread: the standard deviation of their logarithm. From 0 on, what is sent later may be there sooner. */
  readonly spread: number
  /** Nobody listens, for once. */
  readonly refused: number
  /** A captive portal answers: a page with status 200, and the mirror hears of nothing. */
  readonly portal: number
  /** A proxy answers 502, 503 or 504 in HTML, as often before the mirror has done it as after. */
  readonly proxy: number
  /** The request never comes, and nobody says so. */
  readonly lostRequest: number
  /** It is done, the answer never comes, and nobody says so. */
  readonly lostAnswer: number
  /** The connection breaks within the request. */
  readonly cutRequest: number
  /** The connection breaks after it is done, before the answer's last byte. */
  readonly cutAnswer: number
  /** The request's body comes shortened, or with a bit flipped, and looks whole. */
  readonly damagedRequest: number
  /** So does the answer's. */
  readonly damagedAnswer: number
  /** The mirror gets the request once more, some time later. */
  readonly repeated: number
  /** How much later on average, milliseconds. */
  readonly repeatedAfterMs: number
  /** The answer's body comes in parts, with gaps. */
  readonly slow: number
  /** A gap on average, milliseconds. */
  readonly slowMs: number
  /** A request that its client gave up while it was on its way is done all the same. */
  readonly orphaned: number
  /** For each chunk of a live stream: the connection breaks there. */
  readonly cutStream: number
  /** For each chunk of a live stream: nothing comes any more, and nobody closes it. */
  readonly stalledStream: number
}

/** A network that works. */
export const noFaults: NetworkFaults = {
  latencyMs: 5,
  spread: 0,
  refused: 0,
  portal: 0,
  proxy: 0,
  lostRequest: 0,
  lostAnswer: 0,
  cutRequest: 0,
  cutAnswer: 0,
  damagedRequest: 0,
  damagedAnswer: 0,
  repeated: 0,
  repeatedAfterMs: 10_000,
  slow: 0,
  slowMs: 2_000,
  orphaned: 0,
  cutStream: 0,
  stalledStream: 0,
}

/** What becomes of one request, drawn before it leaves. */
export interface Fate {
  readonly refused: boolean
  readonly portal: boolean
  readonly proxy: 'before' | 'after' | undefined
  readonly request: 'lost' | 'cut' | undefined
  readonly answer: 'lost' | 'cut' | undefined
  readonly damagedRequest: boolean
  readonly damagedAnswer: boolean
  readonly repeated: boolean
  readonly slow: boolean
  readonly orphaned: boolean
}

export function fateOf(faults: NetworkFaults, random: Random): Fate {
  const proxy = random.chance(faults.proxy)
  const before = random.chance(0.5)
  return {
    refused: random.chance(faults.refused),
    portal: random.chance(faults.portal),
    proxy: proxy ? (before ? 'before' : 'after') : undefined,
    request: random.chance(faults.lostRequest)
      ? 'lost'
      : random.chance(faults.cutRequest)
        ? 'cut'
        : undefined,
    answer: random.chance(faults.lostAnswer) ? 'lost' : random.chance(faults.cutAnswer) ? 'cut' : undefined,
    damagedRequest: random.chance(faults.damagedRequest),
    damagedAnswer: random.chance(faults.damagedAnswer),
    repeated: random.chance(faults.repeated),
    slow: random.chance(faults.slow),
    orphaned: random.chance(faults.orphaned),
  }
}

/** A delay one way, milliseconds: log-normal around the latency. */
export function delayOf({ latencyMs, spread }: NetworkFaults, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction())
  return latencyMs * Math.exp(spread * normal)
}

/** A copy that is shorter, or has one bit flipped. Nothing stays nothing. */
export function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes
  const at = random.below(bytes.length)
  if (random.chance(0.5)) return bytes.slice(0, at)
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << random.below(8))
  return copy
}
