import { FormatUnknownError, type MynahError, ShardCorruptError } from '@mynah/core'
import type { LogRecord, MergeReport, Position, Replica, ShardPage } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { MirrorAnswerError } from '../errors.js'
import type { Progress } from '../mirror/progress.js'
import { wireLimits } from '../protocol/names.js'
import type { Sender } from '../push/sender.js'

/** What is taken from where, as shards or as a feed, and who hears of it. */
export interface BootstrapOptions {
  readonly replica: Replica
  readonly client: MirrorClient
  readonly progress: Progress
  /** Is told the mirror's newest place with each page, before what was taken counts as known there. */
  readonly sender: Pick<Sender, 'seen' | 'see'>
  /** Whether they are pulled too, rather than stubs. */
  readonly bodies: boolean
  /** After each commit of what was taken: up to where, what it came to, and the ids of documents that changed. */
  readonly onPulled: (position: Position, report: MergeReport | undefined, changed: readonly string[]) => void
  /** For each record that could not be taken; the others are. */
  readonly onRefused: (error: MynahError) => void
}

/**
 * Copies what is sealed at a mirror, as it lies there: the faster way of a first pull of everything. Its checkpoint is
 * the pull's, so that it goes on where it was cut off, and the feed where it ends. What the mirror lost it goes around:
 * then there is no checkpoint, as what the mirror knows besides can only be found by comparing.
 */
export class Bootstrap {
  readonly #options: BootstrapOptions

  constructor(options: BootstrapOptions) {
    this.#options = options
  }

  /**
   * Whether this is the way: a first pull, of all bodies of all documents. Not where it has gone on by the feed: a page
   * tells a document where it changed last, and passes its other leaves, which a shard from there on does not have.
   */
  get isDue(): boolean {
    const { progress, bodies } = this.#options
    const { current } = progress.pull
    return bodies && progress.isFirst && (current === undefined || current.copied === true)
  }

  /** Takes all that is sealed; gives whether the checkpoint says so. */
  async run(signal: AbortSignal): Promise<boolean> {
    const { progress, client, onRefused } = this.#options
    let from = progress.pull.current?.source
    let lost = false
    let page = await this.#ask(from, signal)
    while (page !== undefined && (page.shards.length > 0 || page.lost)) {
      const { position, more } = page
      if (position.seq <= (from?.seq ?? 0))
        throw new MirrorAnswerError(client.address, 200, 'there are shards, but their position does not move')
      lost ||= page.lost
      // The next ones travel while these are looked at.
      const next = more ? this.#ask(position, signal) : undefined
      next?.catch(() => {})
      try {
        await this.#take(page, lost, signal)
      } catch (error) {
        if (!(error instanceof ShardCorruptError || error instanceof FormatUnknownError)) throw error
        // Nothing of it was taken: the feed tells the same, record by record.
        onRefused(error)
        break
      }
      from = position
      page = await next
    }
    return !lost
  }

  /** Undefined where the mirror has no such way, or not for us. */
  async #ask(after: Position | undefined, signal: AbortSignal): Promise<ShardPage | undefined> {
    try {
      return await this.#options.client.shards(after?.seq === 0 ? undefined : after, signal)
    } catch (error) {
      const code = error instanceof MirrorAnswerError ? error.answerCode : undefined
      if (code === 'MYNAH_ROUTE_UNKNOWN' || code === 'MYNAH_FORBIDDEN') return undefined
      throw error
    }
  }

  async #take({ shards, position }: ShardPage, lost: boolean, signal: AbortSignal): Promise<void> {
    const { replica, progress, onPulled, onRefused } = this.#options
    const { commits, changed, detached, refused } = await replica.takeShards(shards)
    for (const commit of commits) {
      progress.took(commit)
      onPulled(position, { outcomes: [], ...commit }, [])
    }
    for (const error of refused) onRefused(error)
    await this.#fetchWhole([...new Set(detached)], position, signal)
    const covered = progress.pull.current?.source.seq ?? 0
    if (lost) progress.pull.forget()
    else if (position.seq >= covered)
      progress.pull.advance({ source: position, target: replica.position(), copied: true })
    await progress.pull.store()
    onPulled(position, undefined, [...new Set(changed)])
  }

  /** Documents with a revision that could not be attached: all their leaves, with whole paths. */
  async #fetchWhole(ids: readonly string[], position: Position, signal: AbortSignal): Promise<void> {
    const { replica, client, sender, progress, onPulled, onRefused } = this.#options
    let wanted = ids
    while (wanted.length > 0) {
      const asked = wanted.slice(0, wireLimits.fetchLeaves)
      const { seen } = sender
      const { told, position: newest } = await client.documents(asked, true, signal)
      const known = new Set(asked)
      const records = told.filter(({ id }) => known.has(id))
      const report = await replica.merge(records, { whole: true, from: 'mirror' })
      await sender.see(newest, signal, seen)
      progress.pulled(report)
      for (const outcome of report.outcomes) if (outcome.result === 'refused') onRefused(outcome.error)
      onPulled(position, report, idsOf(records.filter((_, at) => report.outcomes[at]?.result === 'new')))
      const came = new Set(idsOf(records))
      // An answer without any says that none of them is there any more.
      wanted = came.size === 0 ? wanted.slice(asked.length) : wanted.filter((id) => !came.has(id))
    }
  }
}

function idsOf(records: readonly LogRecord[]): readonly string[] {
  return [...new Set(records.map(({ id }) => id))]
}
