import type { Checkpoint, MergeReport, Position } from '@mynah/core/replica'
import type { PulledPage, PullQuery } from '../client/pull-query.js'
import { MirrorAnswerError } from '../errors.js'
import type { Track } from '../mirror/track.js'
import { Bootstrap, type BootstrapOptions } from './bootstrap.js'

/** Before all that a history has. */
const nowhere: Position = { incarnation: '0'.repeat(32), seq: 0 }

/** What is pulled from where, and who hears of it. */
export interface PullOptions extends BootstrapOptions {
  /** When the mirror's head has been reached. */
  readonly onUpToDate: () => void
  /** When it goes on where a copy of the mirror's shards ended that lack what the mirror lost: there is no checkpoint. */
  readonly onLost: () => void
}

/**
 * Takes what changed at a mirror, page by page. The checkpoint moves after the merge of a page is durable. A page with
 * a record whose path ends at a revision unknown here is asked for again, with whole paths.
 */
export class Pull {
  readonly #options: PullOptions
  /** The mirror's newest place, where it was told just before the next run. */
  #met: Position | undefined
  readonly #bootstrap: Bootstrap

  constructor(options: PullOptions) {
    this.#options = options
    this.#bootstrap = new Bootstrap(options)
  }

  /** The mirror has just told its newest place: a next run that stands there need not ask. */
  meet(position: Position | undefined): void {
    this.#met = position
  }

  /** Pulls up to the mirror's head. What was added to the scope is learnt after the rest, and then goes on with it. */
  async run(signal: AbortSignal): Promise<void> {
    const { progress, onUpToDate, onLost } = this.#options
    const met = this.#met
    this.#met = undefined
    const { source, walk } = progress.pull.current ?? {}
    const isThere = met !== undefined && source?.seq === met.seq && source.incarnation === met.incarnation
    if (isThere && walk === undefined && progress.added === undefined) {
      // A first pull may have been ended right before it would have said so.
      await progress.completePull()
      return onUpToDate()
    }
    if (this.#bootstrap.isDue && !(await this.#bootstrap.run(signal))) onLost()
    signal.throwIfAborted()
    await this.#follow(progress.pull, signal)
    if (progress.added !== undefined) {
      await this.#follow(progress.added, signal)
      await progress.completeAdded()
      await this.#follow(progress.pull, signal)
    }
    await progress.completePull()
    onUpToDate()
  }

  async #follow(track: Track, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    for (;;) {
      const from = track.current
      const page = await this.#page(track, signal)
      if (!page.more) break
      if (page.after === undefined && page.position.seq <= (from?.source.seq ?? 0)) {
        throw new MirrorAnswerError(client.address, 200, 'there is more, but its position does not move')
      }
    }
  }

  async #page(track: Track, signal: AbortSignal): Promise<PulledPage> {
    const { progress, bodies, onRefused } = this.#options
    const from = track.current
    const query: PullQuery = {
      bodies,
      ...(from === undefined || from.source.seq === 0 ? {} : { since: from.source }),
      ...(from?.walk === undefined ? {} : { walk: from.walk }),
      ...track.part,
    }
    let { page, report } = await this.#take(query, signal)
    const reports = [report]
    if (report?.outcomes.some(({ result }) => result === 'detached') === true) {
      // Most of it is known by then: what the first merge took is told first.
      this.#tell(page, report)
      const again = await this.#take({ ...query, whole: true }, signal)
      page = again.page
      report = again.report
      reports.push(report)
    }
    this.#advance(track, from, page)
    for (const merged of reports) if (merged !== undefined) progress.pulled(merged)
    if (report === undefined) await track.storeWhenFar()
    else await track.store()
    for (const outcome of report?.outcomes ?? []) {
      if (outcome.result === 'refused') onRefused(outcome.error)
    }
    this.#tell(page, report)
    return page
  }

  /**
   * Takes a page. It may tell of changes past what it covers: a mirror that was put back since, to a place in between, lacks
   * them, and is to be found out before anybody takes it to know what it gave.
   */
  async #take(
    query: PullQuery,
    signal: AbortSignal,
  ): Promise<{ readonly page: PulledPage; readonly report: MergeReport | undefined }> {
    const { client, sender } = this.#options
    const { seen } = sender
    const page = await client.pull(query, signal)
    const report = await this.#merge(page, query.whole === true)
    await sender.see(page.newest, signal, seen)
    return { page, report }
  }

  /** What a page of a part of the ids covers counts only at its end. */
  #advance(track: Track, from: Checkpoint | undefined, { position, after }: PulledPage): void {
    const target = this.#options.replica.position()
    // A push that was answered meanwhile may have moved it further.
    const covered = track.current?.source ?? nowhere
    const begun = from?.source ?? nowhere
    if (after === undefined) {
      if (position.seq >= covered.seq) track.advance({ source: position, target })
    } else if (begun.seq === covered.seq) {
      track.advance({ source: begun, target, walk: { until: position, after } })
    }
  }

  #tell({ position, records }: PulledPage, report: MergeReport | undefined): void {
    const changed = new Set<string>()
    for (const [index, outcome] of report?.outcomes.entries() ?? []) {
      if (outcome.result === 'new') changed.add(records[index]!.id)
    }
    this.#options.onPulled(position, report, [...changed])
  }

  async #merge({ records }: PulledPage, whole: boolean): Promise<MergeReport | undefined> {
    return records.length === 0 ? undefined : this.#options.replica.merge(records, { whole, from: 'mirror' })
  }
}
