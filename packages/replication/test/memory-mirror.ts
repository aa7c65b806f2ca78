import { type Database, type Env, nodeEnv, open } from '@mynah/core'
import { type LogRecord, type Replica, replicaOf } from '@mynah/core/replica'
import {
  DatabaseUnknownError,
  type Transport,
  type TransportAnswer,
  type TransportRequest,
  type TransportStream,
} from '@mynah/replication'
import {
  answerChecksum,
  decodeInfo,
  encodeError,
  encodeInfo,
  headers,
  mediaTypes,
  parsePosition,
  positionText,
  wireLimits,
} from '@mynah/replication/protocol'
import {
  followed,
  IdPrefixes,
  LimitedReplica,
  liveLines,
  type ServedDatabases,
  serveRequest,
} from '@mynah/replication/serve'
import { ManualEnv } from './manual-env.js'
import { refusing } from './refusing.js'

const forged = (record: LogRecord): LogRecord => ({ ...record, body: { forged: true } })

/**
 * What goes wrong with a request: `refuse`, no connection; `lose`, done, but the answer is lost; `portal`, a page of a
 * captive portal; `empty`, its status 204; `garble`, bytes that are no message; `hang`, no answer until it is aborted;
 * `fail`, status 500; `flip`, the last bit of the answer's body is another; `shorten`, its last byte is missing; `skip`,
 * a page says that it reaches further than it does.
 */
export type Fault =
  | 'refuse'
  | 'lose'
  | 'portal'
  | 'empty'
  | 'garble'
  | 'hang'
  | 'fail'
  | 'flip'
  | 'shorten'
  | 'skip'

const portal = { status: 200, headers: { 'content-type': 'text/html' } } as const

/** The answer as it comes through a network that damages what it carries. */
function damaged(answer: TransportAnswer, fault: Fault | undefined): TransportAnswer {
  const body = answer.body.slice(0, fault === 'shorten' ? -1 : undefined)
  const last = body.length - 1
  if (fault === 'flip' && last >= 0) body[last] = body[last]! ^ 1
  const at = parsePosition(answer.headers[headers.position] ?? '')
  if (fault !== 'skip' || at === undefined) return { ...answer, body }
  const position = positionText({ ...at, seq: at.seq + 1 })
  return { ...answer, headers: { ...answer.headers, [headers.position]: position } }
}

export const address = (name = 'sensors') => `http://mirror.test/v1/${name}`

const text = (body: string) => new TextEncoder().encode(body)
const json = (status: number, body: string): TransportAnswer => ({
  status,
  headers: { 'content-type': mediaTypes.json },
  body: text(body),
})

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield chunk
}

/** A mirror's side of the protocol over a real database, without a network, with faults on demand. */
export class MemoryMirror implements Transport {
  /** `METHOD path` of each request that came, without its query. */
  readonly asked: string[] = []
  /** Called for each request; what it gives goes wrong. */
  fault: (asked: string, request: TransportRequest) => Fault | undefined = () => undefined
  /** Called when a request is served, before its answer leaves: which waits for it. */
  delay: (asked: string) => Promise<void> | undefined = () => undefined
  /** Called for each record of a push, by id; a reason refuses it. */
  refuses: (id: string) => string | undefined = () => undefined
  /** Answers that no record with ancestors can be attached, unless its path is whole. */
  detaches = false
  /** Leaves out the older part of paths, unless they are asked for whole. */
  trims = false
  /** Where a leaf is asked for, sends a body that is not what its rev says. */
  forges = false
  requestBytes: number = wireLimits.requestBytes
  /** What an answer of shards may hold. */
  shardBounds: { readonly bytes: number; readonly records: number } | undefined
  /** Called for each shard that is sent. */
  damages: (shard: Uint8Array) => Uint8Array = (shard) => shard
  /** What the replica does in the place of its own. */
  plant: Partial<Replica> = {}
  /** What the token reaches; undefined for all. */
  reach: readonly string[] | undefined
  /** Raw bytes after which a page ends, where that is not as it is asked for. */
  pageBytes: number | undefined
  /** Addresses of other mirrors that it names. */
  names: readonly string[] = []
  /** What ends each live stream that is read. */
  readonly #streams = new Set<AbortController>()
  /** Time of the heartbeats, which passes with `beat`. */
  readonly #heart = new ManualEnv()
  #database: Database | undefined
  closed = false

  static async with(database?: Database): Promise<MemoryMirror> {
    const mirror = new MemoryMirror()
    mirror.#database = database ?? (await open(':memory:', { mode: 'mirror' }))
    return mirror
  }

  get database(): Database {
    if (this.#database === undefined) throw new Error('the mirror has no database')
    return this.#database
  }

  get replica(): Replica {
    return replicaOf(this.database)
  }

  /** Goes on with another database, as after a restart from other files. */
  replace(database: Database | undefined): void {
    this.#database = database
    this.cut()
  }

  /** The same without a word: not even the streams end. */
  swap(database: Database): void {
    this.#database = database
  }

  get streams(): number {
    return this.#streams.size
  }

  /** Cuts the live streams. */
  cut(): void {
    for (const stream of this.#streams) stream.abort()
  }

  /** Sends a heartbeat on the live streams. */
  beat(): void {
    void this.#heart.advance(wireLimits.heartbeatMs)
  }

  async request(request: TransportRequest): Promise<TransportAnswer> {
    const url = new URL(request.url)
    const asked = `${request.method} ${url.pathname.replace(/^\/v1\/[^/]+/, '')}`
    this.asked.push(asked)
    const fault = this.fault(asked, request)
    if (fault === 'refuse') throw new Error('connection refused')
    if (fault === 'portal') return { ...portal, body: text('<html>Log in</html>') }
    if (fault === 'empty') return { status: 204, headers: {}, body: new Uint8Array(0) }
    if (fault === 'fail') return json(500, encodeError({ code: 'MYNAH_INTERNAL', message: 'failed' }))
    if (fault === 'hang') {
      return new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      )
    }
    const answer = await this.#serve(request)
    await this.delay(asked)
    if (fault === 'lose') throw new Error('connection reset')
    return fault === 'garble' ? { ...answer, body: text('garbage') } : damaged(answer, fault)
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    this.asked.push('GET /records/live')
    const fault = this.fault('GET /records/live', request)
    if (fault === 'portal') return { ...portal, body: once(text('<html>Log in</html>')) }
    if (fault === 'hang') return new Promise(() => {})
    if (fault !== undefined) throw new Error('connection refused')
    return { status: 200, headers: { 'content-type': mediaTypes.lines }, body: this.#lines(request) }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  async *#lines({ url, signal }: TransportRequest): AsyncGenerator<Uint8Array, void> {
    const { searchParams } = new URL(url)
    const prefixes = followed({
      prefix: searchParams.getAll('prefix'),
      none: searchParams.get('none') ?? '0',
    })
    // Time passes for heartbeats only.
    const setTimer: Env['setTimer'] = (run, ms) =>
      ms < wireLimits.heartbeatMs ? nodeEnv.setTimer(run, 0) : this.#heart.setTimer(run, ms)
    const stream = new AbortController()
    this.#streams.add(stream)
    try {
      const ended = AbortSignal.any([signal, stream.signal])
      yield* liveLines(this.replica, { env: { setTimer }, prefixes, signal: ended })
    } finally {
      this.#streams.delete(stream)
    }
  }

  async #serve(request: TransportRequest): Promise<TransportAnswer> {
    const answer = await serveRequest({ databases: this.#databases(), version: '0', env: nodeEnv }, request)
    if (answer.status !== 200 || !answer.headers['content-type']?.startsWith(mediaTypes.json)) return answer
    const info = decodeInfo(new TextDecoder().decode(answer.body))
    const limits = { ...info.limits, requestBytes: this.requestBytes }
    const body = text(encodeInfo({ ...info, limits, mirrors: this.names }))
    const checksum = answerChecksum(request.headers[headers.checksum] ?? '', answer.headers, body)
    return { ...answer, headers: { ...answer.headers, [headers.checksum]: checksum }, body }
  }

  #databases(): ServedDatabases {
    const opened = () => {
      const [database, replica, prefixes] = [this.database, this.#planted(), this.reach]
      if (prefixes === undefined) return { name: 'sensors', database, replica }
      const limited = new LimitedReplica(replica, new IdPrefixes(prefixes))
      return { name: 'sensors', database, replica: limited, prefixes }
    }
    return {
      names: async () => ['sensors'],
      get: async (name) => {
        if (this.#database === undefined) throw new DatabaseUnknownError(name)
        return opened()
      },
      create: async () => {
        const created = this.#database === undefined
        this.#database ??= await open(':memory:', { mode: 'mirror' })
        return { opened: opened(), created }
      },
    }
  }

  /** The replica with the faults that are planted in what it says. */
  #planted(): Replica {
    const replica = this.replica
    const planted: Partial<Replica> = {
      ...refusing(replica, this),
      feed: async (options) => {
        const page = await replica.feed({ ...options, ...(this.pageBytes && { bytes: this.pageBytes }) })
        const trimmed = page.records.map((record) => ({ ...record, path: record.path.slice(0, 1) }))
        return this.trims && options.whole !== true ? { ...page, records: trimmed } : page
      },
      shards: async (options) => {
        const page = await replica.shards({ ...options, ...this.shardBounds })
        return { ...page, shards: page.shards.map(this.damages) }
      },
      bodies: async (leaves, options) => {
        const bodies = await replica.bodies(leaves, options)
        return this.forges ? bodies.map(forged) : bodies
      },
      ...this.plant,
    }
    return new Proxy(replica, {
      get: (_, member: keyof Replica) => {
        const value = planted[member] ?? replica[member]
        return typeof value === 'function' ? value.bind(replica) : value
      },
    })
  }
}

/** The way to several mirrors, by the names of their databases. */
export function ways(mirrors: Readonly<Record<string, MemoryMirror>>): Transport {
  const to = (url: string) => mirrors[new URL(url).pathname.split('/')[2]!]!
  return {
    request: (request) => to(request.url).request(request),
    stream: (request) => to(request.url).stream(request),
    close: async () => undefined,
  }
}
