import type { LogRecord } from '@mynah/core/replica'
import { utf8 } from './byte-list.js'
import { holds, same } from './check.js'
import { type Packed, pack, unpack } from './msgpack.js'
import {
  checkAnswer,
  checkError,
  digits,
  jsonOf,
  memberOf,
  type PageTold,
  type PushTold,
  positionOf,
  pushTold,
  type RawAnswer,
  refused,
  textOf,
  told,
} from './raw-answer.js'
import { leafOf, type SentRecord } from './revisions.js'
import { ORIGIN, recordsOf, shardOf } from './shards.js'

/** How to reach the mirror that is checked. */
export interface MirrorSubject {
  /** Of the mirror, not of a database: `http://127.0.0.1:8800/v1`. */
  readonly url: string
  readonly token?: string
  /** A name that no database of the mirror has. Default: random ones that begin with `compliance-`. */
  readonly databaseName?: () => string
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** Ends the mirror at once, as a power cut would, and begins it anew at the same address. Adds checks of durability. */
  readonly restart?: () => Promise<void>
}

export interface RawRequest {
  /** Names and values of parameters, as they go into the address. */
  readonly query?: readonly (readonly [name: string, value: string])[]
  readonly type?: string
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Another than the right one; undefined sends none. */
  readonly checksum?: string | undefined
  /** The path and its parameters as they are sent, where that is another spelling. */
  readonly spelled?: string
  /** Default: the mirror's. Undefined sends none. */
  readonly token?: string | undefined
  readonly signal?: AbortSignal
}

const BUSY_TRIES = 5
const BUSY_S_MAX = 3

export const types = {
  shard: 'application/vnd.mynah.shard',
  message: 'application/msgpack',
  json: 'application/json',
} as const

/** Checks by the rule that each one checks, each with a new database of its own. */
export type MirrorChecks = Readonly<Record<string, (db: RawDatabase) => Promise<void>>>

/** One database of the mirror, asked by requests that are made from the words of the protocol's page. */
export class RawDatabase {
  readonly #fetch: typeof globalThis.fetch

  constructor(
    readonly subject: MirrorSubject,
    readonly name: string,
    /** Another database of the mirror that nobody has made yet. */
    readonly another: () => RawDatabase,
  ) {
    this.#fetch = subject.fetch ?? globalThis.fetch
  }

  /** The answer as it came; what holds for each answer has been checked. */
  async ask(method: string, path: string, request: RawRequest = {}): Promise<RawAnswer> {
    const asked = this.checksumOf(method, path, request)
    let response = await this.open(method, path, request)
    // A mirror may be busy, with others too.
    for (let tries = 1; tries < BUSY_TRIES && isBusy(response); tries++) {
      await response.arrayBuffer()
      await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(response.headers.get('retry-after'))))
      response = await this.open(method, path, request)
    }
    const body = new Uint8Array(await response.arrayBuffer())
    const answer = { status: response.status, headers: response.headers, body }
    if (response.status < 300) checkAnswer(answer, asked, `${method} ${path || ':db'}`)
    else checkError(answer, `${method} ${path || ':db'}`)
    return answer
  }

  /** The response with its body still to come. */
  async open(method: string, path: string, request: RawRequest = {}): Promise<Response> {
    const { type, body, headers, signal } = request
    const token = 'token' in request ? request.token : this.subject.token
    const checksum = 'checksum' in request ? request.checksum : this.checksumOf(method, path, request)
    return await this.#fetch(`${this.subject.url}/${this.name}${request.spelled ?? spelled(path, request)}`, {
      method,
      redirect: 'manual',
      headers: {
        'accept-encoding': 'identity',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(type !== undefined && { 'content-type': type }),
        ...(checksum !== undefined && { 'mynah-checksum': checksum }),
        ...headers,
      },
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    })
  }

  /** What `mynah-checksum` says of a request: 8 lower-case hex digits. */
  checksumOf(method: string, path: string, { query = [], body }: RawRequest): string {
    const inOrder = query.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    const lines = [
      `${method} ${this.name} ${path}\n`,
      ...inOrder.map(([name, value]) => `${name}=${value}\n`),
    ]
    return digits(utf8(lines.join('')), body)
  }

  /** Makes the database. */
  async create(): Promise<this> {
    same((await this.ask('PUT', '')).status, 201, 'PUT :db for a new database')
    return this
  }

  async info(holding: readonly string[] = []): Promise<Readonly<Record<string, unknown>>> {
    const query = holding.length === 0 ? [] : [['holds', holding.join()] as const]
    return jsonOf(await this.expect(200, 'GET', '', { query }))
  }

  /** The mirror's newest place. */
  async position(): Promise<string> {
    return textOf((await this.info()).position, 'position')
  }

  async holds(...positions: readonly string[]): Promise<unknown> {
    return (await this.info(positions)).holds
  }

  async push(records: readonly SentRecord[], options: { readonly whole?: boolean } = {}): Promise<PushTold> {
    return pushTold(await this.pushShard(shardOf(records), options))
  }

  /** The answer to a push that may be refused. */
  async pushShard(
    shard: Uint8Array,
    { whole = false, ...rest }: RawRequest & { readonly whole?: boolean } = {},
  ) {
    const query = whole ? [['whole', '1'] as const] : []
    const headers = { 'mynah-database': ORIGIN }
    return await this.ask('POST', '/records', { query, type: types.shard, body: shard, headers, ...rest })
  }

  async pull(...query: readonly (readonly [name: string, value: string])[]): Promise<PageTold> {
    const answer = await this.ask('GET', '/records', { query })
    holds(answer.status === 200 || answer.status === 204, `GET :db/records: ${answer.status}`)
    const more = answer.headers.get('mynah-more')
    holds(more === '0' || more === '1', `mynah-more is ${String(more)}`)
    const records = answer.status === 204 ? [] : await recordsOf(answer.body)
    holds(answer.status === 204 || records.length > 0, 'a page without records is 204')
    const after = answer.headers.get('mynah-after')
    const newest = answer.headers.get('mynah-newest')
    const page = {
      records,
      position: positionOf(answer),
      more: more === '1',
      ...(newest !== null && { newest: textOf(newest, 'mynah-newest') }),
    }
    return after === null ? page : { ...page, after: decodeURIComponent(after) }
  }

  /** All pages, from `since` on where it is given. */
  async pages(...query: readonly (readonly [name: string, value: string])[]): Promise<readonly PageTold[]> {
    const pages: PageTold[] = []
    for (let asked = query; ; ) {
      holds(pages.length < 10_000, 'the feed does not end')
      const page = await this.pull(...asked)
      pages.push(page)
      if (!page.more) return pages
      const { position, after } = page
      const begun = asked.filter(([name]) => name !== 'until' && name !== 'after')
      asked =
        after === undefined
          ? [...begun.filter(([name]) => name !== 'since'), ['since', position]]
          : [...begun, ['until', position], ['after', after]]
    }
  }

  /** The records of all pages. */
  async pullAll(
    ...query: readonly (readonly [name: string, value: string])[]
  ): Promise<readonly LogRecord[]> {
    return (await this.pages(...query)).flatMap(({ records }) => records)
  }

  /** The message that answers a message. */
  async tell(path: string, message: Packed): Promise<Packed> {
    return unpack((await this.expect(200, 'POST', path, { type: types.message, body: pack(message) })).body)
  }

  async missing(...records: readonly SentRecord[]): Promise<Packed> {
    return await this.tell('/records/missing', records.map(leafOf))
  }

  async held(...records: readonly SentRecord[]): Promise<Packed> {
    return memberOf(await this.tell('/records/held', records.map(leafOf)), 'held')
  }

  /** The records, and none where the answer is 204. */
  async fetch(
    items: readonly Packed[],
    ...query: readonly (readonly [name: string, value: string])[]
  ): Promise<readonly LogRecord[]> {
    const answer = await this.ask('POST', '/records/fetch', { query, type: types.message, body: pack(items) })
    holds(answer.status === 200 || answer.status === 204, `POST :db/records/fetch: ${answer.status}`)
    positionOf(answer)
    return answer.status === 204 ? [] : await recordsOf(answer.body)
  }

  /** @throws Error when the status is another */
  async expect(status: number, method: string, path: string, request: RawRequest = {}): Promise<RawAnswer> {
    const answer = await this.ask(method, path, request)
    if (answer.status === status) return answer
    throw new Error(`${method} ${path || ':db'}: expected ${status}, found ${told(answer)}`)
  }

  /** @throws Error when the request is not refused so */
  async refuses(
    status: number,
    code: string,
    method: string,
    path: string,
    request: RawRequest = {},
  ): Promise<void> {
    refused(await this.ask(method, path, request), status, code, `${method} ${path || ':db'}`)
  }
}

/** Whether it says when to come again, and that that is soon. */
function isBusy({ status, headers }: Response): boolean {
  const again = headers.get('retry-after')
  return (status === 429 || status === 503) && again !== null && Number(again) <= BUSY_S_MAX
}

function spelled(path: string, { query = [] }: RawRequest): string {
  if (query.length === 0) return path
  return `${path}?${query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`
}
