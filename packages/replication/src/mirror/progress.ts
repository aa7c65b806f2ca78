import type { IdPrefixes, MergeReport, Parked, Position, Replica, TakeCommit } from '@mynah/core/replica'
import type { PushAnswer } from '../protocol/messages.js'
import { addedPart, common, isAll, isSamePart, isWithin, type Prefixes, partOf } from '../scope/part.js'
import { inScope, pullKey, type Scope } from '../scope/scope.js'
import { Backlog } from './backlog.js'
import { Given } from './given.js'
import { Refusals } from './refusals.js'
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
 * checkpoint under the proper key says: of the part of the ids that is told with it the index has been complete once.
 *
 * Where the scope became another, what both have in common goes on from that checkpoint, and what was added is learnt
 * beside it, under the key of the first pull. At the end both are one, with the older of the two sources. A checkpoint of
 * a part that nobody follows any more stays true: up to its source all was learnt. So a scope that comes back goes on
 * from there.
 */
export class Progress {
  readonly databaseId: string
  readonly push: Track
  readonly #replica: Replica
  readonly #complete: Track
  readonly #first: Track
  readonly #refusals: Refusals
  #pull: Track
  /** What the index covers by what this mirror told. */
  #covered: { readonly prefixes: Prefixes } | undefined
  #wanted: Prefixes
  #adds = false
  #skippedSeq = 0
  #pushedAllSeq = 0
  /** What pulls took from this mirror in this session, and push has not passed. */
  #pulled = new Backlog()
  /** Of that, what need not be looked at to be pushed. */
  readonly given = new Given()

  private constructor(
    replica: Replica,
    databaseId: string,
    tracks: { readonly push: Track; readonly complete: Track; readonly first: Track },
    refusals: Refusals,
  ) {
    this.#replica = replica
    this.databaseId = databaseId
    this.push = tracks.push
    this.#complete = tracks.complete
    this.#first = tracks.first
    this.#refusals = refusals
    const isComplete = tracks.complete.current !== undefined
    this.#covered = isComplete ? { prefixes: tracks.complete.part.prefixes } : undefined
    this.#wanted = this.#covered?.prefixes
    this.#pull = isComplete ? tracks.complete : tracks.first
  }

  static async load(replica: Replica, databaseId: string, scope: Scope): Promise<Progress> {
    const key = pullKey(databaseId, scope)
    const refusals = new Refusals(replica, await replica.parked(databaseId))
    const [push, complete, first] = await Promise.all([
      Track.load(replica, databaseId, 'push', () => refusals.all),
      Track.load(replica, key, 'pull'),
      Track.load(replica, `${key} first`, 'pull'),
    ])
    return new Progress(replica, databaseId, { push, complete, first }, refusals)
  }

  /** Says what ids are to be covered: to be called before anything is pulled, with checkpoints that hold. */
  async want(prefixes: Prefixes): Promise<void> {
    this.#wanted = prefixes
    this.#adds = false
    const first = this.#first
    const known = this.#complete.current && { prefixes: this.#complete.part.prefixes }
    const kept = known && common(known.prefixes, prefixes)
    if (known === undefined || kept?.length === 0) {
      this.#complete.forget()
      this.#covered = known === undefined ? this.#covered : undefined
      this.#pull = first
      return this.#begin(first, partOf(prefixes))
    }
    this.#pull = this.#complete
    this.#covered = { prefixes: kept }
    if (!isSamePart(this.#complete.part, partOf(kept))) {
      this.#complete.about(partOf(kept))
      await this.#complete.store()
    }
    this.#adds = !isWithin(prefixes, kept)
    if (this.#adds) this.#begin(first, addedPart(prefixes, kept ?? []))
  }

  /** Goes on with this part where the track is about it, else from the start. */
  #begin(track: Track, part: IdPrefixes): void {
    if (track.current !== undefined && isSamePart(track.part, part)) return
    track.forget()
    track.about(part)
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

  /** What is learnt beside, as it was added to the scope. */
  get added(): Track | undefined {
    return this.#adds ? this.#first : undefined
  }

  /** Whether the pull is a first one, of all documents. */
  get isFirst(): boolean {
    return this.#pull !== this.#complete && isAll(this.#pull.part)
  }

  /** Whether a pull has once reached the mirror's head. */
  get covered(): boolean {
    return this.#covered !== undefined
  }

  /** The same, of a part of the ids that has this one. */
  covers(id: string): boolean {
    return this.#covered !== undefined && inScope(this.#covered, id)
  }

  /** What the mirror refused. */
  get parked(): readonly Parked[] {
    return this.#refusals.all
  }

  /** The positions that the mirror's history must hold for the checkpoints to be worth anything. */
  positions(): readonly Position[] {
    return this.#claims().map(({ position }) => position)
  }

  /** The same, with what is to be given up where one does not hold. */
  #claims(): readonly { readonly position: Position; readonly giveUp: () => void }[] {
    const claims: { position: Position; giveUp: () => void }[] = []
    const claim = (position: Position | undefined, giveUp: () => void) => {
      if (position !== undefined) claims.push({ position, giveUp })
    }
    claim(this.push.current?.target, () => {
      this.push.forget()
      this.#skippedSeq = 0
      this.#pushedAllSeq = 0
    })
    for (const track of [this.#complete, this.#first]) {
      claim(track.current?.walk?.until, () => track.restart())
      claim(track.current?.source, () => {
        track.forget()
        if (track === this.#complete) this.#pull = this.#first
      })
    }
    return claims
  }

  /** Gives up the checkpoints that do not hold, told in the order of `positions()`; true when there were any. */
  forget(holds: readonly boolean[]): boolean {
    const lost = this.#claims().filter((_, index) => holds[index] === false)
    for (const { giveUp } of lost) giveUp()
    return lost.length > 0
  }

  /**
   * The checkpoints hold. What was pulled in an earlier session may be gone there all the same: a page may give what
   * changed behind its position.
   */
  begin(): void {
    this.#pulled = new Backlog()
    this.given.forget()
  }

  /** A pull took this from the mirror. */
  pulled(report: MergeReport): void {
    this.#pulled.pulled(report)
  }

  /** The mirror gave this as it lies there; its checkpoint is about to move past it. */
  took(commit: TakeCommit): void {
    this.pulled({ outcomes: [], ...commit })
    if (commit.given) this.given.add(commit)
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
  skipEcho({ before, position }: Omit<PushAnswer, 'exceptions'>, pulled: Position | undefined): void {
    const { source, walk } = this.#pull.current ?? {}
    if (source?.seq !== before || pulled?.seq !== before || position.seq <= before || walk) return
    this.#pull.advance({ source: position, target: this.#replica.position() })
  }

  /** The pull has reached the mirror's head. */
  async completePull(): Promise<void> {
    const { current } = this.#pull
    if (this.#pull === this.#complete || current === undefined) return
    this.#complete.advance(current)
    await this.#completeAll()
    if (this.#wanted === undefined) await this.#replica.reconciled()
  }

  /** What was added is known too, up to the mirror's head: all goes on from the older source. */
  async completeAdded(): Promise<void> {
    const [known, added] = [this.#complete.current, this.#first.current]
    if (known === undefined || added === undefined) return
    const source = added.source.seq < known.source.seq ? added.source : known.source
    this.#complete.advance({ source, target: this.#replica.position() })
    await this.#completeAll()
  }

  async #completeAll(): Promise<void> {
    this.#complete.about(partOf(this.#wanted))
    await this.#complete.store()
    this.#pull = this.#complete
    this.#covered = { prefixes: this.#wanted }
    this.#adds = false
  }

  /**
   * Both sides have come to know the same, but for what changed after `here` and `there`, and what is parked: the feeds go
   * on from these. What changed here since, and came from there, is known there. `target` is no older than anything that
   * the mirror said to know.
   */
  async reconciled({ here, there, target }: ReconciledPlaces): Promise<void> {
    const now = this.#replica.position()
    this.push.advance({ source: this.isPulled(here.seq, now.seq) ? now : here, target })
    await this.push.store()
    const pulled = this.#pull.current?.source.seq ?? 0
    if (pulled <= there.seq) this.#pull.advance({ source: there, target: now })
    await this.#pull.store()
    if (this.#adds) await this.#completeAll()
    await this.completePull()
  }

  /** Changes what is parked, in memory. */
  park(accepted: ReadonlySet<string>, refused: readonly Parked[]): Promise<void> {
    return this.#refusals.settle(accepted, refused)
  }

  /**
   * Stores the push that has moved, with what is parked. Where that is much, only when it has moved far: to lose both
   * costs the same answers once more.
   */
  async storeMovedPush(): Promise<void> {
    if (this.#refusals.areMany) await this.push.storeWhenFar()
    else await this.push.store()
  }

  /** Stores what moved in memory only. */
  async flush(): Promise<void> {
    await this.push.flush()
    await this.#pull.flush()
    await this.added?.flush()
  }
}
