import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { nodeEnv } from '@mynah/core'
import { decodeRecords, encodeRecords, type LogRecord } from '@mynah/core/replica'
import { headers as names } from '@mynah/replication/protocol'
import type { TestContext } from 'vitest'

/** A request on its way to the mirror behind, which a fault may change. */
export interface Passed {
  method: string
  /** With the database's name: `/v1/x/records`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Record<string, string>
  body: Buffer
}

export interface Answered {
  status: number
  readonly headers: Record<string, string>
  body: Buffer
}

/** One rule that is broken: gives what is answered instead. */
export type Fault = (request: Passed, forward: (request: Passed) => Promise<Answered>) => Promise<Answered>

/** A mirror that keeps all rules but one: passes everything on to the one behind, through the fault. Gives its url. */
export async function startWrongMirror(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  behind: string,
  fault: Fault,
): Promise<string> {
  const server = createServer((request, response) => {
    answer(behind, fault, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

async function answer(
  behind: string,
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url!, behind)
  const headers: Record<string, string> = {}
  for (const name of ['authorization', 'content-type', names.database, names.checksum, 'accept-encoding']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  const passed: Passed = {
    method: request.method!,
    path: url.pathname,
    query: url.searchParams,
    headers,
    body: Buffer.concat(chunks),
  }
  if (url.pathname.endsWith('/live')) return await follow(behind, passed, fault, response)
  const asked = headers[names.checksum]
  const answered = await fault(passed, (changed) => forward(behind, changed))
  if (asked !== undefined && answered.headers[names.checksum] === undefined && answered.status < 300) {
    answered.headers[names.checksum] = answerChecksum(asked, answered)
  }
  response.writeHead(answered.status, answered.headers)
  response.end(answered.body)
}

/** Of what a fault made of an answer: it lies, and says so in good order. */
function answerChecksum(asked: string, { headers, body }: Answered): string {
  const { [names.position]: position = '', [names.more]: more = '', [names.after]: after } = headers
  const { [names.newest]: newest } = headers
  const optional = [
    ...(after === undefined ? [] : [after]),
    ...(newest === undefined ? [] : [`newest ${newest}`]),
  ]
  const text = [asked, position, more, ...optional, ''].join('\n')
  return crc32(Buffer.concat([Buffer.from(text), body]))
    .toString(16)
    .padStart(8, '0')
}

/** The answer of the mirror behind, but for its checksum: what was asked may have been changed. */
async function forward(behind: string, { method, path, query, headers, body }: Passed): Promise<Answered> {
  const { [names.checksum]: _, ...others } = headers
  const url = new URL(`${path}${query.size === 0 ? '' : `?${query}`}`, behind)
  const sent = body.length === 0 && method !== 'POST' ? {} : { body }
  const response = await fetch(url, { method, headers: others, redirect: 'manual', ...sent })
  const kept: Record<string, string> = {}
  const { position, more, after, newest } = names
  for (const name of ['content-type', 'cache-control', position, more, after, newest, 'allow']) {
    const value = response.headers.get(name)
    if (value !== null) kept[name] = value
  }
  return { status: response.status, headers: kept, body: Buffer.from(await response.arrayBuffer()) }
}

/** The fault sees the request, and then each line of the live stream as the body of an answer of its own. */
async function follow(
  behind: string,
  request: Passed,
  fault: Fault,
  response: ServerResponse,
): Promise<void> {
  const over = new AbortController()
  response.once('close', () => over.abort())
  const begun = await fault(request, async ({ path, query, headers }) => {
    const told = await fetch(new URL(`${path}?${query}`, behind), { headers, signal: over.signal })
    response.writeHead(told.status, { 'content-type': told.headers.get('content-type')! })
    send(told, request, fault, response).catch((error: unknown) => {
      response.destroy(over.signal.aborted ? undefined : (error as Error))
    })
    return { status: told.status, headers: {}, body: Buffer.alloc(0) }
  })
  if (!response.headersSent) response.writeHead(begun.status, begun.headers).end(begun.body)
}

async function send(told: Response, request: Passed, fault: Fault, response: ServerResponse): Promise<void> {
  for await (const chunk of told.body!) {
    const line: Answered = { status: 200, headers: {}, body: Buffer.from(chunk as Uint8Array) }
    response.write((await fault(request, () => Promise.resolve(line))).body)
  }
  response.end()
}

/** A fault in the answers to one method and path. */
export function inAnswers(
  method: string,
  path: string,
  change: (answered: Answered, request: Passed) => Promise<void> | void,
): Fault {
  return async (request, forwarded) => {
    const { pathname } = new URL(request.path, 'http://x')
    const below = pathname.split('/').slice(3).join('/')
    const answered = await forwarded(request)
    if (request.method === method && below === path && answered.status < 300) await change(answered, request)
    return answered
  }
}

/** A fault in what becomes of the requests to one method and path. */
export function inRequests(
  method: string,
  path: string,
  change: (request: Passed) => Promise<void> | void,
): Fault {
  return async (request, forwarded) => {
    const below = request.path.split('/').slice(3).join('/')
    if (request.method === method && below === path) await change(request)
    return await forwarded(request)
  }
}

/** Other records in the place of those of a shard; a body that is none stays as it is. */
export async function withRecords(
  holder: { body: Buffer; status?: number },
  change: (records: readonly LogRecord[]) => readonly LogRecord[],
): Promise<void> {
  if (holder.body.length === 0 || holder.status === 204) return
  const records = await decodeRecords(holder.body, nodeEnv).catch(() => undefined)
  if (records === undefined) return
  const changed = change(records)
  holder.body = Buffer.from(changed.length === 0 ? [] : await encodeRecords(changed, nodeEnv))
  if (changed.length === 0 && holder.status !== undefined) holder.status = 204
}
