import type { Env } from '@mynah/core'

/** How far the first copy of what a mirror has is, in changes: places of the mirror's history. */
export interface CopyStatus {
  readonly done: number
  /** As of what is known of the mirror now. */
  readonly total: number
  /** Over the last ten seconds; less and less while nothing comes. */
  readonly perSecond: number
}

/** What a rate is measured over, and how often it is noted, milliseconds. */
const WINDOW_MS = 10_000
const NOTE_MS = 100

/** How a first copy goes. */
export class CopyProgress {
  readonly #env: Env
  /** What was done at moments of the monotonic clock, the last of which is out of the window. */
  #notes: { readonly atMs: number; readonly done: number }[]
  #done: number

  /** @param done what was done before */
  constructor(env: Env, done: number) {
    this.#env = env
    this.#done = done
    this.#notes = [{ atMs: env.monotonicMs(), done }]
  }

  moved(done: number): void {
    this.#done = done
    const atMs = this.#env.monotonicMs()
    if (atMs - this.#notes.at(-1)!.atMs >= NOTE_MS) this.#notes.push({ atMs, done })
    this.#forget(atMs)
  }

  status(total: number): CopyStatus {
    const nowMs = this.#env.monotonicMs()
    this.#forget(nowMs)
    const { atMs, done } = this.#notes[0]!
    const perSecond = nowMs > atMs ? ((this.#done - done) * 1_000) / (nowMs - atMs) : 0
    return { done: this.#done, total: Math.max(total, this.#done), perSecond }
  }

  #forget(nowMs: number): void {
    const first = this.#notes.findLastIndex(({ atMs }) => nowMs - atMs >= WINDOW_MS)
    if (first > 0) this.#notes = this.#notes.slice(first)
  }
}
