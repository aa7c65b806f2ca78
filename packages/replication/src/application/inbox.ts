import { RejectedError } from '../errors.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import type { Rejection } from './replication.js'

/** What the mirrors refused. */
export class Inbox {
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  async *list(): AsyncGenerator<Rejection> {
    for (const { progress } of this.#scheduler.mirrors) yield* progress?.parked ?? []
  }

  /** Sends the document again to the mirror in use. @throws RejectedError when it refuses it again */
  async retry(id: string): Promise<void> {
    const parked = await this.#scheduler.round(async (session) => {
      await session.pushAgain(id)
      return session.mirror.progress?.parked ?? []
    }, undefined)
    const again = parked.filter((rejection) => rejection.id === id)
    if (again.length > 0) throw new RejectedError(again)
  }

  async drop(id: string): Promise<void> {
    for (const { progress } of this.#scheduler.mirrors) {
      if (progress?.parked.some((rejection) => rejection.id === id) !== true) continue
      await progress.park(new Set([id]), [])
      await progress.push.store()
    }
  }
}
