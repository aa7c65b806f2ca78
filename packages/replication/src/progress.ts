import type { MergeReport, Parked, Position, Replica } from '@mynah/core/replica'
import { Backlog } from './backlog.js'
import type { PushAnswer } from './protocol/messages.js'
import { pullKey, type Scope } from './scope.js'
import { Track } from './track.js'

/** Places up to which both sides know the same. */
interface ReconciledPlaces {
  readonly here: Position
  readonly there: Position
  readonly target: Position
}

/**
 * How far replication with one mirror's database has come, and what it refused.
 *
 * The first pull keeps its checkpoint under a key of its own and takes the proper one only at its end, so that a pull
 * checkpoint under the proper key says: the index has been complete once.
 */
export class Progress {
  readonly databaseId: string
  readonly push: Track
  readonly #replica: Replica
  /** Whether pulls cover all that the mirror has. */
  readonly #whole: boolean
  readonly #complete: Track
  readonly #first: Track
  #parked: readonly Parked[]
  #pull: Track
  #covered: boolean
  #skippedSeq = 0
  #pushedAllSeq = 0
  /** What pulls took from this mirror since the replication began, and push has not passed. */
  #pulled = new Backlog()

  private constructor(
    replica: Replica,
    databaseId: string,
    whole: boolean,
    tracks: { readonly push: Track; readonly complete: Track; readonly first: Track },
    parked: readonly Parked[],
  ) {
    this.#replica = replica
    this.#whole = whole
    this.databaseId = databaseId
    this.push = tracks.push
    this.#complete = tracks.complete
    this.#first = tracks.first
    this.#parked = parked
    this.#covered = tracks.complete.current !== undefined
    this.#pull = this.#covered ? tracks.complete : tracks.first
  }

  static async load(replica: Replica, databaseId: string, scope: Scope): Promise<Progress> {
    const key = pullKey(databaseId, scope)
    const [push, complete, first, parked] = await Promise.all([
      Track.load(replica, databaseId, 'push'),
      Track.load(replica, key, 'pull'),
      Track.load(replica, `${key} first`, 'pull'),
      replica.parked(databaseId),
    ])
    return new Progress(replica, databaseId, scope.prefixes === undefined, { push, complete, first }, parked)
  }

  /**
   * Counts what the push will not send as pushed, as far as that shows without asking the mirror. The checkpoint stays:
   * its target may be older than what was skipped.
   */
  async skipStubs(): Promise<void> {
    for (;;) {
      const since = this.pushedSeq
      if (this.push.current === undefined) return
      if (this.#replica.position().seq <= since) return this.pushedAll()
      const page = await this.#replica.feed({ since, bodies: true })
      if (page.records.some(({ kind }) => kind === 'revision')) return
      if ((await this.#replica.heldUnder(page.records)).records.length > 0) return
      this.#skippedSeq = page.position.seq
      if (!page.more) return this.pushedAll()
    }
  }

  /** Nothing up to this seq is left to be pushed. */
  get pushedSeq(): number {
    const { current } = this.push
    return current === undefined ? 0 : Math.max(current.source.seq, this.#skippedSeq)
  }

  /** The push has come to what was the end when its page was read. */
  pushedAll(): void {
    this.#pushedAllSeq = this.pushedSeq
  }

  /** All that was written up to this seq is there; pages on the way leave out what changed again further on. */
  get pushedAllSeq(): number {
    return this.#pushedAllSeq
  }

  get pull(): Track {
    return this.#pull
  }

  /** Whether a pull has once reached the mirror's head. */
  get covered(): boolean {
    return this.#covered
  }

  /** What the mirror refused. */
  get parked(): readonly Parked[] {
    return this.#parked
  }

  /** The positions that the mirror's history must hold for the checkpoints to be worth anything. */
  positions(): readonly Position[] {
    const pull = this.#pull.current
    return [this.push.current?.target, pull?.source, pull?.walk?.until].filter(
      (position) => position !== undefined,
    )
  }

  /** Gives up the checkpoints that do not hold, told in the order of `positions()`; true when there were any. */
  forget(holds: readonly boolean[]): boolean {
    const answers = [...holds]
    const push = this.push.current !== undefined && answers.shift() === false
    const pull = this.#pull.current !== undefined && answers.shift() === false
    const walk = this.#pull.current?.walk !== undefined && answers.shift() === false
    if (push) {
      this.push.forget()
      this.#skippedSeq = 0
      this.#pushedAllSeq = 0
    }
    if (pull) {
      this.#pull.forget()
      this.#pulled = new Backlog()
    }
    if (pull) this.#pull = this.#first
    else if (walk) this.#pull.restart()
    return push || pull || walk
  }

  /** A pull took this from the mirror; its checkpoint, which says that the mirror has it, has moved past it. */
  pulled(report: MergeReport): void {
    this.#pulled.pulled(report)
  }

  /** Whether all after `since`, up to `seq`, came from the mirror. Asked with ever higher seqs. */
  isPulled(since: number, seq: number): boolean {
    this.#pulled.forget(since)
    return this.#pulled.ahead(since, seq) === 0
  }

  /**
   * Takes what a push put right behind the pull's position as pulled: no echo. `pulled` is where the pull stood when the
   * push was sent: a page that came since may have left out what the push moved behind its end, with other leaves too.
   */
  skipEcho({ before, position }: PushAnswer, pulled: Position | undefined): void {
    const { source, walk } = this.#pull.current ?? {}
    if (source?.seq !== before || pulled?.seq !== before || position.seq <= before || walk) return
    this.#pull.advance({ source: position, target: this.#replica.position() })
  }

  /** The pull has reached the mirror's head. */
  async completePull(): Promise<void> {
    const { current } = this.#pull
    if (this.#pull === this.#complete || current === undefined) return
    this.#complete.advance(current)
    await this.#complete.store()
    if (this.#whole) await this.#replica.reconciled()
    this.#pull = this.#complete
    this.#covered = true
  }

  /**
   * Both sides have come to know the same, but for what changed after `here` and `there`, and what is parked: the feeds go
   * on from these. What changed here since, and came from there, is known there. `target` is no older than anything that
   * the mirror said to know.
   */
  async reconciled({ here, there, target }: ReconciledPlaces): Promise<void> {
    const now = this.#replica.position()
    this.push.advance({ source: this.isPulled(here.seq, now.seq) ? now : here, target })
    await this.storePush()
    const pulled = this.#pull.current?.source.seq ?? 0
    if (pulled <= there.seq) this.#pull.advance({ source: there, target: now })
    await this.#pull.store()
    await this.completePull()
  }

  /** Changes what is parked, in memory: documents that were accepted leave, refusals enter. */
  park(accepted: ReadonlySet<string>, refused: readonly Parked[]): void {
    const again = new Set(refused.map(({ id, rev }) => `${rev} ${id}`))
    const kept = this.#parked.filter(({ id, rev }) => !accepted.has(id) && !again.has(`${rev} ${id}`))
    this.#parked = [...kept, ...refused]
  }

  async storePush(): Promise<void> {
    await this.push.store(this.#parked)
  }

  /** Stores what moved in memory only. */
  async flush(): Promise<void> {
    await this.push.flush()
    await this.#pull.flush()
  }
}
