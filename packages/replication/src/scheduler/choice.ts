import type { Mirror } from '../mirror/mirror.js'

/** How many sessions there are at once. */
export interface Breadth {
  readonly sessions: number
  /** Whether every mirror is to have its turn, where there are more than sessions. */
  readonly turns: boolean
}

/** Sessions at once of a database that is to converge with all its mirrors. */
const SESSIONS_MAX = 6

/** Milliseconds that are no difference between mirrors. */
const MARKED_MS = 10

/** What the mode, and those who wait for so many mirrors, ask for. */
export function breadthOf(mode: 'peer' | 'mirror', wanted: number): Breadth {
  return mode === 'mirror'
    ? { sessions: SESSIONS_MAX, turns: true }
    : { sessions: Math.max(1, wanted), turns: false }
}

/**
 * The mirror to be used next, of some that may be: the one that was not used for the longest where all have their turn,
 * else the best. Of equals the first.
 */
export function chosen(mirrors: readonly Mirror[], { turns }: Breadth): Mirror | undefined {
  return mirrors.toSorted((a, b) => (turns ? a.usedAtMs - b.usedAtMs : compareMirrors(a, b))).at(0)
}

/**
 * The better first: fewer failures in a row, then the shorter measured latency. A failure is never quick: one that
 * refuses at once stands behind the slowest that answers, and who was never measured behind those who were.
 */
export function compareMirrors(a: Mirror, b: Mirror): number {
  return a.backoff.failures - b.backoff.failures || latencyOf(a) - latencyOf(b) || 0
}

/** Whether a mirror answers in less than half the other's time, and in markedly less: what varies by itself is no reason. */
export function isBetterByFar(mirror: Mirror, other: Mirror): boolean {
  return 2 * latencyOf(mirror) + MARKED_MS < latencyOf(other)
}

function latencyOf({ latencyMs }: Mirror): number {
  return latencyMs ?? Number.MAX_VALUE
}
