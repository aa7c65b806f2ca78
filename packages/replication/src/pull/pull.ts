import type { Env } from '@mynah/core'
import type { Checkpoint, MergeReport, Position } from '@mynah/core/replica'
import type { PulledPage, PullQuery } from '../client/pull-query.js'
import { MirrorAnswerError } from '../errors.js'
import type { Track } from '../mirror/track.js'
import { isAll } from '../scope/part.js'
import { Bootstrap, type BootstrapOptions } from './bootstrap.js'
import { type Merged, OtherWays } from './other-ways.js'

/** Before all that a history has. */
const nowhere: Position = { incarnation: '0'.repeat(32), seq: 0 }

/** What is pulled from where, and who hears of it. */
export interface PullOptions extends BootstrapOptions {
  readonly env: Env
  /** When the mirror's head has been reached. */
  readonly onUpToDate: () => void
  /** When it goes on where a copy of the mirror's shards ended that lack what the mirror lost: there is no checkpoint. */
  readonly onLost: () => void
}

/** A page that was merged. */
interface Taken {
  readonly page: PulledPage
  /** Of the page itself, after what was fetched for it; undefined where it has nothing. */
  readonly report: MergeReport | undefined
  readonly reports: readonly MergeReport[]
}

/**
 * Takes what changed at a mirror, page by page. The checkpoint moves after the merge of a page is durable. A page with
 * a record whose path ends at a revision unknown here is asked for again, with whole paths. Where its bodies come by other
 * ways too, only those are asked for that did not.
 */
export class Pull {
  readonly #options: PullOptions
  /** The mirror's newest place, where it was told just before the next run. */
  #met: Position | undefined
  readonly #bootstrap: Bootstrap
  readonly #otherWays: OtherWays

  constructor(options: PullOptions) {
    this.#options = options
    this.#otherWays = new OtherWays(options)
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
    let { page, report, reports } = await this.#take(query, signal)
    const all = [...reports]
    if (reports.some(({ outcomes }) => outcomes.some(({ result }) => result === 'detached'))) {
      // Most of it is known by then: what the first merge took is told first.
      this.#tell(page, report)
      const again = await this.#take({ ...query, whole: true }, signal)
      page = again.page
      report = again.report
      reports = again.reports
      all.push(...reports)
    }
    this.#advance(track, from, page)
    for (const one of all) progress.pulled(one)
    if (report === undefined) await track.storeWhenFar()
    else await track.store()
    for (const outcome of reports.flatMap(({ outcomes }) => outcomes)) {
      if (outcome.result === 'refused') onRefused(outcome.error)
    }
    this.#tell(page, report)
    return page
  }

  /**
   * Takes a page. It may tell of changes past what it covers: a mirror that was put back since, to a place in between, lacks
   * them, and is to be found out before anybody takes it to know what it gave.
   */
  async #take(query: PullQuery, signal: AbortSignal): Promise<Taken> {
    const { client, sender, replica } = this.#options
    const { seen } = sender
    const whole = query.whole === true
    const isOfAll = query.bodies && isAll(query)
    const areStubs = isOfAll && this.#otherWays.areLikely
    const page = await client.pull(areStubs ? { ...query, bodies: false } : query, signal)
    const { records } = page
    const reports: MergeReport[] = []
    if (records.length > 0) {
      const onMerged = ({ records, report }: Merged) => {
        reports.push(report)
        this.#tell({ ...page, records }, report)
      }
      if (areStubs) await this.#otherWays.fetch(records, { whole, onMerged }, signal)
      // Of what is held by now the stubs say nothing new; the others are owed from now on.
      const report = await replica.merge(records, { whole, from: 'mirror' })
      reports.push(report)
      // What is asked for again is known from the first time.
      if (isOfAll && !areStubs && !whole) this.#otherWays.learn({ records, report })
    }
    await sender.see(page.newest, signal, seen)
    return { page, report: reports.at(-1), reports }
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
}
