import type { Env } from '@mynah/core'
import { mediaTypes, routes } from '../protocol/names.js'
import { queryOf } from '../protocol/query.js'
import type { TransportAnswer, TransportRequest, TransportStream } from '../transport/transport.js'
import { failureAnswer, failureOf, RequestRefusedError } from './failures.js'
import { followed } from './follow.js'
import { answerRoot } from './info.js'
import { liveLines } from './live.js'
import { answerCreated, type ProtocolRoute, protocolRoutes } from './routes.js'
import type { RequestParts, ServedDatabases } from './served.js'

/** A mirror without a network: its databases, and what it says of itself. */
export interface ServedMirror {
  readonly databases: ServedDatabases
  readonly version: string
  readonly env: Env
}

/** A request as it arrived. */
export type ServedRequest = Pick<TransportRequest, 'method' | 'url' | 'headers' | 'body'>

/** Answers one request, whatever it is: what fails becomes an answer too. */
export async function serveRequest(mirror: ServedMirror, request: ServedRequest): Promise<TransportAnswer> {
  try {
    return await answer(mirror, request)
  } catch (error) {
    return failureAnswer(failureOf(error))
  }
}

/** Answers a request for the live stream, which ends with the signal, or with one chunk that tells why there is none. */
export async function serveStream(
  mirror: ServedMirror,
  request: ServedRequest,
  signal: AbortSignal,
): Promise<TransportStream> {
  try {
    const { pattern, name, parameters } = placeOf(request.url)
    if (pattern !== routes.live) throw unknownRoute()
    if (request.method !== 'GET') throw unknownMethod(request.method)
    const prefixes = followed(queryOf(parameters))
    const { replica } = await mirror.databases.get(name)
    return {
      status: 200,
      headers: { 'content-type': mediaTypes.lines },
      body: liveLines(replica, { env: mirror.env, prefixes, signal }),
    }
  } catch (error) {
    const { body, ...rest } = failureAnswer(failureOf(error))
    return { ...rest, body: chunks(body) }
  }
}

async function answer(
  { databases, version, env }: ServedMirror,
  request: ServedRequest,
): Promise<TransportAnswer> {
  const { pattern, name, parameters } = placeOf(request.url)
  const { method } = request
  const parts: RequestParts = {
    params: { db: name },
    query: queryOf(parameters),
    headers: request.headers,
    body: request.body,
  }
  if (pattern === routes.root && method === 'GET') return answerRoot(await databases.names(), version)
  if (pattern === routes.database && method === 'PUT') {
    const answerOf = answerCreated(parts)
    const { opened, created } = await databases.create(name)
    return { ...(await answerOf(opened, env)), status: created ? 201 : 200 }
  }
  const there = protocolRoutes.filter((route) => route.pattern === pattern)
  const route = there.find((one) => one.method === method)
  if (route === undefined)
    throw there.length === 0 && pattern !== routes.root ? unknownRoute() : unknownMethod(method)
  requireBody(route, request)
  const answerOf = route.read(parts)
  return await answerOf(await databases.get(name), env)
}

/** The pattern that the address's path fits, were there such a route, and its database's name, '' where it has none. */
function placeOf(url: string): {
  readonly pattern: string
  readonly name: string
  readonly parameters: URLSearchParams
} {
  const { pathname, searchParams: parameters } = new URL(url)
  const [, root = '', name, ...rest] = pathname.split('/')
  if (name === undefined) return { pattern: `/${root}`, name: '', parameters }
  return { pattern: ['', root, ':db', ...rest].join('/'), name: decoded(name), parameters }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new RequestRefusedError('MYNAH_REQUEST_INVALID', 'The path is not well-formed')
  }
}

function requireBody({ takes }: ProtocolRoute, { headers, body }: ServedRequest): void {
  if (body === undefined) return
  if (takes === undefined || headers['content-type'] !== takes.type) {
    throw new RequestRefusedError('MYNAH_MEDIA_TYPE_UNKNOWN', 'The body is of no type that this path takes')
  }
  if (body.length > takes.bytesMax) {
    throw new RequestRefusedError(
      'MYNAH_REQUEST_TOO_LARGE',
      `A body has at most ${takes.bytesMax} bytes here`,
    )
  }
}

function unknownRoute(): RequestRefusedError {
  return new RequestRefusedError('MYNAH_ROUTE_UNKNOWN', 'There is nothing at this path')
}

function unknownMethod(method: string): RequestRefusedError {
  return new RequestRefusedError('MYNAH_METHOD_UNKNOWN', `${method} is not for this path`)
}

async function* chunks(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* all
}
