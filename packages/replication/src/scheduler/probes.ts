import type { Env } from '@mynah/core'
import { unlessAborted } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { MirrorUnreachableError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import { sleep } from '../timing/sleep.js'
import { isBetterByFar } from './choice.js'
import type { Scheduler } from './scheduler.js'

/** How often it is looked whether somebody is to be asked; spread, so that a thousand peers do not ask at once. */
const TICK_MS = 60_000
/** How often a mirror is asked that is well, and no better than the one in use. */
const CALM_MS = 600_000
/** Mirrors asked in one tick. */
const PROBES = 4
const PATIENCE_MS = 10_000

/** Who is asked how they are, and by what. */
export interface ProbesOptions {
  readonly env: Env
  readonly scheduler: Scheduler
  readonly client: (mirror: Mirror) => MirrorClient
  /** Whether one mirror is used, and the others are there for when it fails. */
  readonly isOne: () => boolean
  readonly onStatus: () => void
}

/**
 * Asks the mirrors of a peer that are not in use how they are, seldom, so that the peer changes to a better one: one that
 * answers in less than half the time, and has done so without a failure for a while (for twice as long, each time that it
 * failed in use). One request of some hundred bytes each, every ten minutes; each minute where a mirror failed or is
 * about to be changed to.
 */
export class Probes {
  readonly #options: ProbesOptions
  readonly #closed = new AbortController()
  #over: Promise<void> = Promise.resolve()

  constructor(options: ProbesOptions) {
    this.#options = options
  }

  begin(): void {
    this.#over = this.#serve(this.#closed.signal)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#over
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    while (!signal.aborted) {
      const [spread = 0] = env.randomBytes(1)
      await sleep(env, TICK_MS * (0.75 + spread / 512), signal).catch(() => {})
      if (!signal.aborted) await this.#tick(signal)
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { env, scheduler, isOne, onStatus } = this.#options
    const used = scheduler.sessions[0]?.mirror
    if (!isOne() || used === undefined || used.state !== 'live') return
    used.stayed(env.monotonicMs())
    const now = env.monotonicMs()
    const due = scheduler.mirrors.filter(
      (mirror) => mirror !== used && mirror.retryAtMs <= now && mirror.probeAtMs <= now,
    )
    for (const mirror of due.slice(0, PROBES)) await this.#probe(mirror, signal)
    if (due.length > 0) await this.#probe(used, signal)
    const after = env.monotonicMs()
    for (const mirror of due) {
      const promising = mirror.databaseId !== used.databaseId && isBetterByFar(mirror, used)
      if (mirror.wellSinceMs !== undefined && !promising) mirror.probeAtMs = after + CALM_MS
      if (promising && mirror.isWell(after)) scheduler.prefer(used)
    }
    onStatus()
  }

  async #probe(mirror: Mirror, signal: AbortSignal): Promise<void> {
    const { env, scheduler, client } = this.#options
    const patience = new AbortController()
    const late = new MirrorUnreachableError(mirror.address, `no answer in ${PATIENCE_MS} ms`)
    const timer = env.setTimer(() => patience.abort(late), PATIENCE_MS)
    const begunMs = env.monotonicMs()
    try {
      const info = await unlessAborted(client(mirror).info([], patience.signal), signal)
      if (scheduler.sessions.some((session) => session.mirror === mirror)) {
        mirror.measured(env.monotonicMs() - begunMs)
      } else {
        if (mirror.databaseId !== info.id) mirror.leadsTo(info.id)
        mirror.answered(env.monotonicMs() - begunMs, begunMs)
      }
    } catch (thrown) {
      // What fails in use is told by its session.
      if (signal.aborted || scheduler.sessions.some((session) => session.mirror === mirror)) return
      scheduler.failed(mirror, thrown)
    } finally {
      timer.cancel()
      patience.abort(signal.reason)
    }
  }
}
