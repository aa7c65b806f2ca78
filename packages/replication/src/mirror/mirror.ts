import type { Env } from '@mynah/core'
import type { Position, Replica } from '@mynah/core/replica'
import { HoldOff } from '../client/hold-off.js'
import { type MirrorPace, Pace } from '../client/pace.js'
import { MirrorRefusedError } from '../errors.js'
import { pullKey, type Scope } from '../scope/scope.js'
import { Backoff } from '../timing/backoff.js'
import { Moment } from '../timing/moment.js'
import { type AddressClass, namedWithin } from '../transport/address-class.js'
import { CopyProgress, type CopyStatus } from './copy-progress.js'
import { Progress } from './progress.js'

/**
 * What a mirror is to this database now: in use (`connecting`, `catching-up`, `live`), left alone after a failure
 * (`backing-off`), or not needed because others are in use or nothing is to be done (`waiting`).
 */
export type MirrorState = 'connecting' | 'catching-up' | 'live' | 'backing-off' | 'waiting'

/** How long a mirror must have been well before a peer leaves another for it; twice as long each time that it failed in use. */
const WELL_MS = 60_000
const WELL_MS_MAX = 3_600_000
/** A token that was refused is tried so much later than another failure is: mostly it takes a person to mend that. */
const REFUSED_MS = 15_000
/** How long one is left alone at least that was named and has never answered: whoever is there did not ask for it. */
const STRANGER_MS = 600_000
/** How much of a new measurement goes into the latency. */
const NEW_SHARE = 0.3

/** A mirror that lacked so many bodies was offered all that was held here up to a seq. */
export interface Offered {
  readonly databaseId: string
  readonly owes: number
  readonly seq: number
}

/** What is known of one mirror while the replication runs, across its sessions. */
export class Mirror {
  readonly address: string
  readonly backoff: Backoff
  readonly pace: MirrorPace = { up: new Pace(), down: new Pace() }
  readonly holdOff: HoldOff
  /** As the application gave it. */
  token: string | undefined
  /** Mirrors that named this one, the one whose token it is sent first; undefined where the application gave it. */
  namers: readonly Mirror[] | undefined
  /** The database's id there, as of the last contact. */
  databaseId: string | undefined
  progress: Progress | undefined
  /** While the first copy of what it has is under way. */
  copy: CopyProgress | undefined
  state: MirrorState = 'waiting'
  /** The mirror's newest position that it told. */
  head: Position | undefined
  /** Of the last greetings, the newer ones counting more; undefined before the first. */
  latencyMs: number | undefined
  /** Since when it has answered without a failure, on the monotonic clock; undefined where that is not known. */
  wellSinceMs: number | undefined
  /** When it is asked again how it is, while another is in use. */
  probeAtMs = 0
  #wellMs = WELL_MS
  /** When the next attempt may be made, on the monotonic clock. */
  retryAtMs = 0
  /** When the last attempt failed, on the monotonic clock; undefined before the first. */
  failedAtMs: number | undefined
  /** When the last session ended, on the monotonic clock; 0 before the first. */
  usedAtMs = 0
  /** Why the last session ended; undefined once a later one has caught up. */
  error: Error | undefined
  /** Leaves that are owed here and that it did not have either when it was last asked; undefined before. */
  owed: number | undefined
  /** What it was offered last, of what it lacked. */
  offered: Offered | undefined
  /** How often both sides were found to know different things while they had nothing new for each other. */
  mismatches = 0
  /** What they said then, the last time. */
  mismatch: string | undefined
  /** When the mirror last confirmed that the index is up to date. */
  confirmed: Moment | undefined
  /** The pull key that the progress is of. */
  #loaded = ''

  constructor(
    env: Env,
    known: {
      readonly address: string
      readonly token?: string | undefined
      readonly databaseId?: string | undefined
      readonly namers?: readonly Mirror[]
    },
  ) {
    this.backoff = new Backoff(env)
    this.holdOff = new HoldOff(env)
    this.address = known.address
    this.token = known.token
    this.databaseId = known.databaseId
    this.namers = known.namers
  }

  /** What it is sent, of what the application gave. */
  get tokenSent(): string | undefined {
    return this.namers === undefined ? this.token : this.namers[0]?.token
  }

  /** Where it may be: anywhere where the application gave it, else as the one that named it may name. */
  get within(): readonly AddressClass[] | undefined {
    return this.namers === undefined ? undefined : namedWithin(this.namers[0]?.address ?? '', this.address)
  }

  /** Loads what is stored of the database there, unless that is done. */
  async load(replica: Replica, databaseId: string, scope: Scope): Promise<Progress> {
    const key = pullKey(databaseId, scope)
    if (this.progress === undefined || this.#loaded !== key) {
      this.progress = await Progress.load(replica, databaseId, scope)
      this.#loaded = key
      this.databaseId = databaseId
      this.head = undefined
    }
    return this.progress
  }

  /** It leads to this database, with which another address is used: what was loaded of it is of no use. */
  leadsTo(databaseId: string): void {
    this.databaseId = databaseId
    this.progress = undefined
  }

  /** A greeting was answered after so long. */
  measured(latencyMs: number): void {
    this.latencyMs =
      this.latencyMs === undefined ? latencyMs : this.latencyMs + NEW_SHARE * (latencyMs - this.latencyMs)
  }

  /** It answered, though it is not in use. */
  answered(latencyMs: number, nowMs: number): void {
    this.measured(latencyMs)
    this.wellSinceMs ??= nowMs
    this.backoff.succeed()
    this.error = undefined
    this.state = 'waiting'
  }

  /** Whether it has been well for so long that a peer may change to it. */
  isWell(nowMs: number): boolean {
    return this.wellSinceMs !== undefined && nowMs - this.wellSinceMs >= this.#wellMs
  }

  /** It is in use, and works. */
  stayed(nowMs: number): void {
    this.wellSinceMs ??= nowMs
    if (this.isWell(nowMs)) this.#wellMs = WELL_MS
  }

  /** An attempt failed: it is left alone for a while. */
  failed(error: Error, nowMs: number): void {
    if (this.state === 'live') {
      this.#wellMs = Math.min(2 * this.#wellMs, WELL_MS_MAX)
      this.backoff.spread()
    }
    this.error = error
    this.state = 'backing-off'
    this.failedAtMs = nowMs
    this.wellSinceMs = undefined
    this.probeAtMs = 0
    const refusedMs = error instanceof MirrorRefusedError ? REFUSED_MS : 0
    const isStranger = this.namers !== undefined && this.databaseId === undefined
    // Who was told to come again then does not come at that very moment with all the others.
    const heldOffMs = Math.max(refusedMs, this.holdOff.leftMs)
    this.retryAtMs = nowMs + Math.max(heldOffMs + this.backoff.fail(), isStranger ? STRANGER_MS : 0)
  }

  /** A position that the mirror told in this session; they may arrive out of order. */
  tell(position: Position): void {
    if (position.seq > (this.head?.seq ?? -1)) this.head = position
  }

  /** Everything here up to this seq was answered for by the mirror. */
  pushed(): number {
    return this.progress?.pushedSeq ?? 0
  }

  /** The same, and nothing of it was left out because it changed again further on. */
  pushedAll(): number {
    return this.progress?.pushedAllSeq ?? 0
  }

  /** A pull has come to this place; with a clock, the first one. */
  pulled(position: Position, env: Env | undefined): void {
    this.tell(position)
    if (env === undefined) return
    this.copy ??= new CopyProgress(env, position.seq)
    this.copy.moved(position.seq)
  }

  /** It confirmed just now that all it has is here. */
  upToDate(env: Pick<Env, 'now' | 'monotonicMs'>): void {
    this.confirmed = new Moment(env)
    this.copy = undefined
  }

  /** How far the first pull is; undefined where none is under way. */
  copied(): CopyStatus | undefined {
    if (this.copy !== undefined) return this.copy.status(this.head?.seq ?? 0)
    const { progress, head } = this
    // It goes on from before, and nothing has come yet.
    const done = progress?.isFirst ? progress.pull.current?.source.seq : undefined
    return done === undefined || head === undefined || head.seq <= done
      ? undefined
      : { done, total: head.seq, perSecond: 0 }
  }

  /** Seqs of the mirror that are not pulled yet. */
  behind(): number {
    return Math.max(0, (this.head?.seq ?? 0) - (this.progress?.pull.current?.source.seq ?? 0))
  }
}

/**
 * When a mirror last confirmed that the index is up to date in what it has of this id: one that tells of other ids says
 * nothing of it. The wall clock may have been set back since, so the last word is not the highest time.
 */
export function upToDateAt(mirrors: readonly Mirror[], id: string): Date | undefined {
  const words = mirrors.flatMap(({ confirmed, progress }) => (progress?.covers(id) && confirmed) || [])
  const last = words.reduce<(typeof words)[number] | undefined>(
    (best, word) => (best === undefined || word.monotonicMs >= best.monotonicMs ? word : best),
    undefined,
  )
  return last && new Date(last.wallMs)
}
