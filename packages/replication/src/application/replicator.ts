import { ClosedError, type Env, nodeEnv } from '@mynah/core'
import type { Replica, ReplicationSettings } from '@mynah/core/replica'
import { MirrorClient } from '../client/mirror-client.js'
import { Traffic } from '../client/traffic.js'
import { Backlog } from '../mirror/backlog.js'
import type { Mirror } from '../mirror/mirror.js'
import type { MirrorBodies } from '../reads/body-source.js'
import { readSource } from '../reads/read-source.js'
import { breadthOf } from '../scheduler/choice.js'
import { Discovery } from '../scheduler/discovery.js'
import { KnownMirrors } from '../scheduler/known-mirrors.js'
import { Probes } from '../scheduler/probes.js'
import { Scheduler } from '../scheduler/scheduler.js'
import { onMode, type Scope, scopeOf } from '../scope/scope.js'
import { Session } from '../session/session.js'
import { soonOnce } from '../timing/soon-once.js'
import { httpTransport } from '../transport/http-transport.js'
import type { Transport } from '../transport/transport.js'
import { Events } from './events.js'
import { explain } from './explain.js'
import { Inbox } from './inbox.js'
import type {
  Explanation,
  MirrorStatus,
  Rejection,
  ReplicateOptions,
  Replication,
  ReplicationEvents,
  ReplicationStatus,
  SyncedOptions,
  SyncReport,
} from './replication.js'
import { sessionNews } from './session-news.js'
import { type Memory, remembering } from './settings.js'
import { mirrorStatus, replicationStatus, type StatusSources } from './status.js'
import { Synced } from './synced.js'

/** The replication of one replica: what `replicate` gives. */
export class Replicator implements Replication {
  readonly #replica: Replica
  readonly #env: Env
  readonly #transport: Transport
  readonly #memory: Memory
  readonly #scope: () => Scope
  readonly #pollMs: number | undefined
  readonly #events = new Events()
  readonly #backlog = new Backlog()
  readonly #scheduler: Scheduler
  readonly #known: KnownMirrors
  readonly #probes: Probes
  readonly #inbox: Inbox
  readonly #bodies: MirrorBodies
  readonly #onClosed: () => Promise<void>
  readonly #unfollow: () => void
  readonly #synced: Synced
  readonly #traffic: Traffic
  readonly #documents = { pushed: 0, pulled: 0 }
  readonly #tellStatus: () => void
  #closed: Promise<void> | undefined

  private constructor(
    replica: Replica,
    settings: ReplicationSettings,
    options: ReplicateOptions,
    onClosed: () => Promise<void>,
  ) {
    this.#replica = replica
    this.#onClosed = onClosed
    this.#env = options.env ?? nodeEnv
    const { maxBytesPerHour: bytesPerHour } = options
    this.#traffic = new Traffic(this.#env, { bytesPerHour, onWaiting: () => this.#changed() })
    this.#transport = options.transport ?? httpTransport()
    this.#scope = () => scopeOf(settings, replica)
    this.#memory = remembering(replica, () => this.#known.settings(), settings, this.#scope)
    this.#pollMs = options.live === false ? (options.intervalMs ?? 60_000) : undefined
    this.#synced = new Synced(this.#env, {
      mirrors: () => this.#scheduler.mirrors,
      onWanted: () => this.#scheduler.review(),
    })
    this.#scheduler = new Scheduler({
      env: this.#env,
      session: (mirror) => this.#session(mirror),
      breadth: () => breadthOf(replica.mode, this.#synced.wanted),
      onStatus: () => this.#changed(),
      onFailure: (mirror, error) => this.#events.emit('error', { mirror: mirror.address, error }),
      onSame: () => this.#synced.settle(),
    })
    const discovery = new Discovery(this.#env, options.discovery === 'same-token', settings)
    const own = { replica, env: this.#env, scheduler: this.#scheduler, scope: this.#scope }
    this.#known = new KnownMirrors({ ...own, discovery })
    this.#unfollow = onMode(replica, this.#scope, (bodies) => {
      if (bodies) this.#scheduler.renew()
      this.#scheduler.review()
    })
    this.#tellStatus = soonOnce(this.#env, () => {
      if (this.#closed === undefined) this.#events.emit('status', this.status())
    })
    const client = (mirror: Mirror) => this.#client(mirror)
    const parts = { env: this.#env, scheduler: this.#scheduler, scope: this.#scope, client }
    this.#probes = new Probes({
      ...parts,
      isOne: () => replica.mode === 'peer' && this.#synced.wanted <= 1,
      onStatus: () => this.#changed(),
    })
    this.#inbox = new Inbox(this.#scheduler)
    this.#bodies = readSource(replica, parts)
  }

  /** Begins with these settings, which are remembered. Resolves without a network. */
  static async begin(
    replica: Replica,
    settings: ReplicationSettings,
    options: ReplicateOptions,
    onClosed: () => Promise<void>,
  ): Promise<Replicator> {
    const replicator = new Replicator(replica, settings, options, onClosed)
    await replicator.#known.begin(settings)
    await replicator.#memory.remember()
    replicator.#useSource()
    replicator.#scheduler.begin()
    replicator.#probes.begin()
    void replica.closed.then(() => replicator.close())
    return replicator
  }

  async addMirror(url: string, { token }: { readonly token?: string } = {}): Promise<void> {
    this.#requireOpen()
    this.#known.give(url, token)
    this.#scheduler.wake()
    await this.#membersChanged()
  }

  async removeMirror(url: string): Promise<void> {
    this.#requireOpen()
    this.#known.remove(url)
    await this.#membersChanged()
  }

  mirrors(): readonly MirrorStatus[] {
    return this.#scheduler.mirrors.map((mirror) => mirrorStatus(this.#sources(), mirror))
  }

  status(): ReplicationStatus {
    return replicationStatus(this.#sources())
  }

  async sync({ signal }: { readonly signal?: AbortSignal } = {}): Promise<SyncReport> {
    this.#requireOpen()
    return this.#scheduler.round(async (session) => {
      const before = { ...this.#documents }
      await session.round()
      return {
        mirror: session.mirror.address,
        pushed: this.#documents.pushed - before.pushed,
        pulled: this.#documents.pulled - before.pulled,
        rejected: session.mirror.progress?.parked ?? [],
      }
    }, signal)
  }

  async synced({ mirrors, signal }: SyncedOptions = {}): Promise<void> {
    this.#requireOpen()
    await this.#synced.wait(this.#replica.position().seq, mirrors, signal)
  }

  async *rejected(): AsyncGenerator<Rejection, void> {
    this.#requireOpen()
    yield* this.#inbox.list()
  }

  async explain(id: string): Promise<Explanation> {
    this.#requireOpen()
    return explain(id, { replica: this.#replica, scheduler: this.#scheduler, scope: this.#scope() })
  }

  async retry(id: string): Promise<void> {
    this.#requireOpen()
    await this.#inbox.retry(id)
  }

  async drop(id: string): Promise<void> {
    this.#requireOpen()
    await this.#inbox.drop(id)
    this.#changed()
  }

  pause(): void {
    this.#scheduler.pause()
  }

  resume(): void {
    this.#scheduler.resume()
  }

  on<E extends keyof ReplicationEvents>(
    event: E,
    listener: (value: ReplicationEvents[E]) => void,
  ): () => void {
    return this.#events.on(event, listener)
  }

  /** A conflict could not be merged. */
  readonly unmerged = (id: string, error: Error) => this.#events.emit('error', { mirror: '', error, id })

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    const reason = new ClosedError()
    this.#replica.useSource(undefined)
    this.#unfollow()
    this.#synced.end(reason)
    await this.#probes.close()
    await this.#scheduler.close(reason)
    await this.#transport.close()
    await this.#onClosed()
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw new ClosedError()
  }

  #session(mirror: Mirror): Session {
    const session: Session = new Session({
      replica: this.#replica,
      env: this.#env,
      mirror,
      client: this.#client(mirror),
      scope: this.#scope(),
      pollMs: this.#pollMs,
      observer: sessionNews(mirror, () => session, {
        replica: this.#replica,
        scheduler: this.#scheduler,
        events: this.#events,
        backlog: this.#backlog,
        synced: this.#synced,
        documents: this.#documents,
        changed: () => this.#changed(),
        ...this.#memory,
        isClosed: () => this.#closed !== undefined,
      }),
    })
    return session
  }

  #client(mirror: Mirror): MirrorClient {
    return new MirrorClient({
      address: mirror.address,
      token: () => mirror.tokenSent,
      within: () => mirror.within,
      mayCreate: mirror.namers === undefined,
      onNamed: (named) => {
        if (this.#closed === undefined && this.#known.heard(mirror, named))
          this.#membersChanged().catch((error) =>
            this.#events.emit('error', { mirror: mirror.address, error }),
          )
      },
      databaseId: this.#replica.id,
      transport: this.#transport,
      env: this.#env,
      traffic: this.#traffic,
      pace: mirror.pace,
      holdOff: mirror.holdOff,
    })
  }

  /** There are other mirrors than before. */
  async #membersChanged(): Promise<void> {
    this.#synced.settle()
    this.#useSource()
    await this.#memory.remember()
    this.#changed()
  }

  /** Without a mirror there is nobody to ask, and the database answers for itself. */
  #useSource(): void {
    this.#replica.useSource(this.#scheduler.mirrors.length === 0 ? undefined : this.#bodies)
  }

  #sources(): StatusSources {
    return {
      replica: this.#replica,
      scheduler: this.#scheduler,
      backlog: this.#backlog,
      scope: this.#scope(),
      traffic: this.#traffic,
    }
  }

  /** Tells the status soon, once for all that changes until then. */
  #changed(): void {
    if (this.#events.wanted('status')) this.#tellStatus()
  }
}
