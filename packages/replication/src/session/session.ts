import type { Env } from '@mynah/core'
import { type Replica, unlessAborted } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { beforeSilence } from '../client/silence.js'
import { MirrorAnswerError, MirrorUnreachableError, SameMirrorError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Progress } from '../mirror/progress.js'
import type { DatabaseInfo } from '../protocol/messages.js'
import { Owed } from '../pull/owed.js'
import { Pull } from '../pull/pull.js'
import { Offer } from '../push/offer.js'
import { Push } from '../push/push.js'
import { compareWhileQuiet } from '../reconcile/quiet-comparison.js'
import { reconcile } from '../reconcile/reconcile.js'
import { pushesOnly, type Scope } from '../scope/scope.js'
import { deferred } from '../timing/deferred.js'
import { Demand } from '../timing/demand.js'
import { sleep } from '../timing/sleep.js'
import type { SessionObserver } from './session-observer.js'

/** Greetings until it is known which checkpoints hold: three where the database is another and its checkpoints are void. */
const CONNECT_TURNS = 6

export interface SessionOptions {
  readonly replica: Replica
  readonly env: Env
  readonly mirror: Mirror
  readonly client: MirrorClient
  readonly scope: Scope
  /** Undefined: follow the mirror's stream of positions. Else poll so often. */
  readonly pollMs: number | undefined
  readonly observer: SessionObserver
}

/**
 * One attempt at replication with one mirror, from the first request to the first failure.
 *
 *                 info, holds; PUT where there is no database
 *     begin ──► connecting ───────────► catching-up ───────────► live ──┐ commit here: push
 *                   │     checkpoints       │     first push and  │  ▲  │ position there, or interval: pull
 *                   │     checked           │     pull are over   │  └──┘
 *                   ▼                       ▼                     ▼
 *                 over: the caller backs off, and may try another mirror meanwhile
 *
 *   state        event                                    what follows
 *   connecting   info answered, all checkpoints hold      catching-up: push and pull are demanded, the stream is opened
 *                a checkpoint does not hold there         it is dropped (from the start), and asked again
 *                404 MYNAH_DATABASE_UNKNOWN               created, once
 *   catching-up  a checkpoint is lacking                  reconcile, where neither side is as good as empty; then the rest
 *   catching-up, commit here                              a push is demanded; one in flight gathers the next
 *   live         position of the mirror past the pull's   a pull is demanded, after the push in flight (it may be its echo)
 *                no byte of the stream for 45 s           failure
 *                the mirror's history is another          failure; the next session asks for the checkpoints again
 *                quiet for an hour, and sums differ       both checkpoints are given up, for a session that reconciles
 *   any          what comes of a pull is no answer        failure, after one more push
 *                a request fails or is not answered by    failure: all that is in flight is aborted, what is being
 *                the protocol; the stream ends            merged is waited for; the session is over
 *                aborted (pause, close, mirror removed)   the same
 *
 * With an empty scope there is no pull, but the mirror is asked whether its history is still the same. While it is live,
 * what is owed is fetched, a little at a time, and offered what the mirror owes.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #pushes = new Demand()
  readonly #pulls = new Demand()
  readonly #over = new AbortController()
  readonly #live = deferred<void>()
  #scope: Scope
  #push: Push | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#scope = options.scope
  }

  get mirror(): Mirror {
    return this.#options.mirror
  }

  get client(): MirrorClient {
    return this.#options.client
  }

  /** Aborted when the session is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  get busy(): boolean {
    return this.#options.mirror.state === 'catching-up' || this.#pushes.running || this.#pulls.running
  }

  /** Pushes and pulls everything there is now. */
  async round(): Promise<void> {
    const pulled = pushesOnly(this.#scope) ? undefined : this.#pulls.ask()
    await Promise.all([this.#pushes.ask(), pulled])
  }

  /** Sends the document again, and whatever else there is to push. */
  async pushAgain(id: string): Promise<void> {
    this.#push?.again(id)
    await this.#pushes.ask()
  }

  /** Rejects with the failure, or the signal's reason, when all that was begun is over. */
  async run(outer: AbortSignal): Promise<never> {
    const over = this.#over
    const { signal } = over
    const abort = () => over.abort(outer.reason)
    if (outer.aborted) abort()
    else outer.addEventListener('abort', abort, { once: true })
    try {
      const { info, progress } = await this.#connect(signal)
      // Without a scope it is what the token reaches.
      this.#scope = { ...this.#scope, prefixes: this.#scope.prefixes ?? info.prefixes }
      if (!pushesOnly(this.#scope)) await progress.want(this.#scope.prefixes)
      return await this.#exchange(info, progress, signal)
    } finally {
      outer.removeEventListener('abort', abort)
    }
  }

  async #exchange(info: DatabaseInfo, progress: Progress, signal: AbortSignal): Promise<never> {
    const { replica, observer } = this.#options
    const exchanged = { ...this.#options, scope: this.#scope, progress }
    const push = this.#pushOf(info, progress)
    this.#push = push
    this.#enter('catching-up')
    const stop = replica.onCommit(() => void this.#pushes.ask())
    const { position: there } = info
    const reconciled = reconcile({ ...exchanged, sender: push.sender, there }, signal)
    const pull = this.#pullOf(progress, push)
    // A mirror of which nothing can be learnt may still take what is written here.
    const over = reconciled.then((met) => pull.meet(met)).catch(() => {})
    const offer = new Offer({ ...this.#options, info, push })
    const pushes = () => push.run(signal).then(() => offer.page(signal))
    const pulls = () => this.#afterPush(pull.run(signal), signal)
    const live = unlessAborted(this.#live.promise, signal)
    const tasks = [this.#serve(this.#pushes, pushes, over, signal)]
    tasks.push(live.then(() => offer.serve(() => this.#pushes.ask(), signal)))
    if (!pushesOnly(this.#scope)) {
      tasks.push(this.#serve(this.#pulls, pulls, this.#afterPush(reconciled, signal), signal))
      tasks.push(compareWhileQuiet({ ...exchanged, busy: () => this.busy }, signal))
    }
    tasks.push(this.#afterPush(this.#watch(push, progress, signal), signal))
    tasks.push(this.#catchUp(signal))
    observer.onConnected()
    try {
      return await Promise.race(tasks)
    } catch (error) {
      // Whoever waits for something of this session is told why it comes no more.
      this.#over.abort(error)
      throw error
    } finally {
      stop()
      await Promise.allSettled([...tasks, over])
      await progress.flush()
    }
  }

  #serve(
    demand: Demand,
    run: () => Promise<void>,
    ready: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<never> {
    const { observer } = this.#options
    const told = async () => {
      observer.onStatus()
      await run()
      observer.onStatus()
    }
    return demand.serve(told, ready, signal)
  }

  /** Lets what is written here go out before a failure ends the session: a mirror that cannot be read may still take it. */
  async #afterPush<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await task
    } catch (error) {
      // Its own failure is told by who serves it.
      if (!signal.aborted && !(error instanceof MirrorUnreachableError))
        await this.#pushes.ask().catch(() => {})
      throw error
    }
  }

  async #connect(signal: AbortSignal): Promise<{ readonly info: DatabaseInfo; readonly progress: Progress }> {
    const { replica, mirror, client, scope, env, observer } = this.#options
    this.#enter('connecting')
    if (mirror.databaseId !== undefined) await mirror.load(replica, mirror.databaseId, scope)
    for (let turn = 0; turn < CONNECT_TURNS; turn++) {
      const asked = mirror.progress?.positions() ?? []
      const begunMs = env.monotonicMs()
      const info = await client.greet(asked, signal)
      mirror.measured(env.monotonicMs() - begunMs)
      if (info.id === replica.id) {
        throw new MirrorAnswerError(mirror.address, 200, 'it is this very database, or a copy of its files')
      }
      if (!observer.claim(info.id)) throw new SameMirrorError(mirror.address, info.id)
      const before = mirror.progress
      const progress = await mirror.load(replica, info.id, scope)
      if (progress !== before) continue
      progress.forget(info.holds ?? [])
      // Another checkpoint may have taken the place of one that does not hold.
      if (!progress.positions().every((position) => asked.includes(position))) continue
      // It may have been restored from an old copy: what it told before is void.
      mirror.head = info.position
      progress.begin()
      return { info, progress }
    }
    throw new MirrorAnswerError(mirror.address, 200, 'it is another database with each answer')
  }

  /** Enters `live` when the first round is over; what is owed is fetched from then on. */
  async #catchUp(signal: AbortSignal): Promise<never> {
    const { mirror, observer } = this.#options
    await this.round()
    mirror.backoff.succeed()
    mirror.error = undefined
    this.#enter('live')
    this.#live.resolve()
    observer.onLive()
    return new Owed({ ...this.#options, onCounted: () => observer.onStatus() }).serve(signal)
  }

  /** Demands pulls as the mirror's positions come, or at intervals; ends with the stream, also where nothing is pulled. */
  async #watch(push: Push, progress: Progress, signal: AbortSignal): Promise<never> {
    const { env, mirror, client, pollMs } = this.#options
    const isPushOnly = pushesOnly(this.#scope)
    if (pollMs !== undefined) {
      for (;;) {
        await sleep(env, pollMs, signal)
        await (isPushOnly ? push.verify(signal) : this.#pulls.ask())
      }
    }
    const positions = client.live(this.#scope.prefixes, signal)
    for (;;) {
      const { value: position } = await beforeSilence(positions.next(), env, mirror.address)
      const { head } = mirror
      // By another name the history may be another: a pull finds out.
      const renamed = position !== undefined && position.incarnation !== head?.incarnation
      if (position !== undefined) mirror.tell(position)
      if (isPushOnly) {
        if (renamed || (position !== undefined && position.seq < head!.seq)) await push.verify(signal)
        continue
      }
      // What the push in flight brought there is told before the push is answered.
      if (mirror.behind() > 0) await push.idle()
      if (renamed || mirror.behind() > 0) void this.#pulls.ask()
      else if (progress.covered) this.#upToDate()
    }
  }

  #pushOf(info: DatabaseInfo, progress: Progress): Push {
    const { replica, env, client, observer, mirror } = this.#options
    return new Push({
      replica,
      env,
      client,
      progress,
      info,
      onPushed: (documents) => {
        if (documents > 0) mirror.backoff.succeed()
        observer.onPushed(documents)
      },
      onRefused: (refused) => observer.onRefused(refused),
    })
  }

  #pullOf(progress: Progress, { sender }: Push): Pull {
    const { env, observer, mirror, scope } = this.#options
    return new Pull({
      ...this.#options,
      progress,
      sender,
      bodies: scope.bodies,
      onPulled: (position, report, changed) => {
        if (changed.length > 0) mirror.backoff.succeed()
        mirror.pulled(position, progress.covered ? undefined : env)
        observer.onPulled(report, changed)
      },
      onUpToDate: () => this.#upToDate(),
      onLost: () => observer.onMismatch(),
      onRefused: (error) => observer.onUnfit(error),
    })
  }

  #upToDate(): void {
    this.#options.mirror.upToDate(this.#options.env)
  }

  #enter(state: 'connecting' | 'catching-up' | 'live'): void {
    this.#options.mirror.state = state
    this.#options.observer.onStatus()
  }
}
