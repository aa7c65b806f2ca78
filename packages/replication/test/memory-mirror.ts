import { type Database, nodeEnv, open } from '@mynah/core'
import {
  decodeRecords,
  encodeRecords,
  type LogRecord,
  type Position,
  type Replica,
  replicaOf,
} from '@mynah/core/replica'
import type { Transport, TransportAnswer, TransportRequest, TransportStream } from '@mynah/replication'
import {
  decodeFetch,
  decodeLeaves,
  encodeError,
  encodeInfo,
  encodeLiveLine,
  encodeMissing,
  encodePushAnswer,
  headers,
  mediaTypes,
  parsePosition,
  positionText,
  recordCodes,
} from '@mynah/replication/protocol'

const forged = (record: LogRecord): LogRecord => ({ ...record, body: { forged: true } })

/**
 * What goes wrong with a request: `refuse`, no connection; `lose`, done, but the answer is lost; `portal`, a page of a
 * captive portal; `garble`, bytes that are no message; `hang`, no answer until it is aborted; `fail`, status 500.
 */
export type Fault = 'refuse' | 'lose' | 'portal' | 'garble' | 'hang' | 'fail'

export const address = (name = 'sensors') => `http://mirror.test/v1/${name}`

const text = (body: string) => new TextEncoder().encode(body)
const json = (status: number, body: string): TransportAnswer => ({
  status,
  headers: { 'content-type': mediaTypes.json },
  body: text(body),
})

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
  requestBytes = 16 * 1024 * 1024
  readonly #streams = new Set<(line: string | undefined) => void>()
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

  get streams(): number {
    return this.#streams.size
  }

  /** Cuts the live streams. */
  cut(): void {
    for (const tell of this.#streams) tell(undefined)
  }

  /** Sends a heartbeat on the live streams. */
  beat(): void {
    for (const tell of this.#streams) tell('\n')
  }

  async request(request: TransportRequest): Promise<TransportAnswer> {
    const url = new URL(request.url)
    const asked = `${request.method} ${url.pathname.replace(/^\/v1\/[^/]+/, '')}`
    this.asked.push(asked)
    const fault = this.fault(asked, request)
    if (fault === 'refuse') throw new Error('connection refused')
    if (fault === 'portal') {
      return { status: 200, headers: { 'content-type': 'text/html' }, body: text('<html>Log in</html>') }
    }
    if (fault === 'fail') return json(500, encodeError({ code: 'MYNAH_INTERNAL', message: 'failed' }))
    if (fault === 'hang') {
      return new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      )
    }
    const answer = await this.#serve(asked, url, request)
    await this.delay(asked)
    if (fault === 'lose') throw new Error('connection reset')
    return fault === 'garble' ? { ...answer, body: text('garbage') } : answer
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    this.asked.push('GET /records/live')
    const fault = this.fault('GET /records/live', request)
    if (fault !== undefined) throw new Error('connection refused')
    return { status: 200, headers: { 'content-type': mediaTypes.live }, body: this.#lines(request.signal) }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  async *#lines(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const lines: (string | undefined)[] = [encodeLiveLine(this.replica.position())]
    let wake = () => {}
    const tell = (line: string | undefined) => {
      lines.push(line)
      wake()
    }
    const abort = () => tell(undefined)
    signal.addEventListener('abort', abort)
    const stop = this.replica.onCommit((position: Position) => tell(encodeLiveLine(position)))
    this.#streams.add(tell)
    try {
      for (;;) {
        while (lines.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        const line = lines.shift()
        if (line === undefined) return
        yield text(line)
      }
    } finally {
      this.#streams.delete(tell)
      signal.removeEventListener('abort', abort)
      stop()
    }
  }

  async #serve(asked: string, url: URL, request: TransportRequest): Promise<TransportAnswer> {
    if (asked === 'PUT ') {
      this.#database ??= await open(':memory:', { mode: 'mirror' })
      return this.#info(url)
    }
    if (this.#database === undefined) {
      return json(404, encodeError({ code: 'MYNAH_DATABASE_UNKNOWN', message: 'unknown' }))
    }
    const body = request.body ?? new Uint8Array(0)
    const whole = url.searchParams.get('whole') === '1'
    switch (asked) {
      case 'GET ':
        return this.#info(url)
      case 'POST /records':
        return this.#push(body, whole)
      case 'GET /records':
        return this.#pull(url, whole)
      case 'POST /records/missing':
        return this.#message(encodeMissing(await this.replica.missing(decodeLeaves(body))))
      case 'POST /records/fetch':
        return this.#fetch(body, whole)
      default:
        throw new Error(`no route ${asked}`)
    }
  }

  #message(body: Uint8Array): TransportAnswer {
    return { status: 200, headers: { 'content-type': mediaTypes.message }, body }
  }

  async #info(url: URL): Promise<TransportAnswer> {
    const { id, mode } = this.replica
    const holds = url.searchParams.get('holds')?.split(',')
    return json(
      200,
      encodeInfo({
        name: 'sensors',
        id,
        mode,
        protocol: 1,
        position: this.replica.position(),
        documents: await this.database.count(),
        limits: { requestBytes: this.requestBytes, batchRecords: 4_096 },
        ...(holds && { holds: holds.map((held) => this.replica.holds(parsePosition(held)!)) }),
      }),
    )
  }

  async #push(body: Uint8Array, whole: boolean): Promise<TransportAnswer> {
    const records = await decodeRecords(body, nodeEnv)
    const detached = ({ path }: LogRecord) => this.detaches && !whole && path.length > 0
    const accepted = records.filter((record) => this.refuses(record.id) === undefined && !detached(record))
    const { outcomes, before, position } = await this.replica.merge(accepted, { whole, from: 'peer' })
    const exceptions = records.flatMap((record, index) => {
      const reason = this.refuses(record.id)
      if (reason !== undefined) return [{ index, code: 'MYNAH_REVISION_REFUSED', reason }]
      const outcome = outcomes[accepted.indexOf(record)] ?? { result: 'detached' }
      if (outcome.result === 'detached') return [{ index, code: recordCodes.detached, reason: '' }]
      return outcome.result === 'refused'
        ? [{ index, code: outcome.error.code, reason: outcome.error.message }]
        : []
    })
    const taken = outcomes.filter(({ result }) => result === 'new' || result === 'supplied').length
    return this.#message(encodePushAnswer({ position, before, taken, exceptions }))
  }

  async #pull(url: URL, whole: boolean): Promise<TransportAnswer> {
    const since = parsePosition(url.searchParams.get('since') ?? '')
    if (since !== undefined && !this.replica.holds(since)) {
      return json(410, encodeError({ code: 'MYNAH_CURSOR_LOST', message: positionText(since) }))
    }
    const prefixes = url.searchParams.getAll('prefix')
    const page = await this.replica.feed({
      since: since?.seq ?? 0,
      bodies: url.searchParams.get('bodies') === '1',
      whole,
      ...(prefixes.length > 0 && { prefixes }),
    })
    const told = { [headers.position]: positionText(page.position), [headers.more]: page.more ? '1' : '0' }
    if (page.records.length === 0) return { status: 204, headers: told, body: new Uint8Array(0) }
    const trimmed = page.records.map((record) => ({ ...record, path: record.path.slice(0, 1) }))
    const body = await encodeRecords(this.trims && !whole ? trimmed : page.records, nodeEnv)
    return { status: 200, headers: { 'content-type': mediaTypes.shard, ...told }, body }
  }

  async #fetch(body: Uint8Array, whole: boolean): Promise<TransportAnswer> {
    const records = []
    for (const item of decodeFetch(body)) {
      if ('rev' in item) {
        const bodies = await this.replica.bodies([item], { whole })
        records.push(...(this.forges ? bodies.map(forged) : bodies))
      } else records.push(...(await this.replica.leaves(item.id)))
    }
    if (records.length === 0) return { status: 204, headers: {}, body: new Uint8Array(0) }
    return {
      status: 200,
      headers: { 'content-type': mediaTypes.shard },
      body: await encodeRecords(records, nodeEnv),
    }
  }
}
