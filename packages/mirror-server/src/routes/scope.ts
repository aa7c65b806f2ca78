import type { Env } from '@mynah/core'
import type { TransportAnswer } from '@mynah/replication'
import { mediaTypes, routes } from '@mynah/replication/protocol'
import { type Query, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Access } from '../access/access.js'
import { clientOf } from '../access/client.js'
import type { RouteRight } from '../access/guard.js'
import type { ByteBudget } from '../bounds/byte-budget.js'
import { countedBody } from '../bounds/counted-body.js'
import type { Gate } from '../bounds/gate.js'
import { UNKNOWN_TYPE } from '../http/failures.js'
import { COUNTED_TEXT } from '../http/lines.js'
import type { LiveStreams } from '../http/live-streams.js'

/** What the routes of one mirror share. */
export interface RouteOptions {
  readonly databases: Access
  readonly env: Env
  readonly budget: ByteBudget
  readonly shardGate: Gate
  readonly liveStreams: LiveStreams
}

/** What a route below a database is asked with. */
export interface DatabaseRequest {
  Params: { readonly db: string }
  Querystring: Query
}

/** The options of a route that say who may ask for it. */
export function needs(
  right: RouteRight,
  more: { readonly writes?: boolean } = {},
): { readonly config: { readonly right: RouteRight; readonly writes?: boolean } } {
  return { config: { right, ...more } }
}

/** The part of a route's pattern below `/v1`. */
export function belowRoot(pattern: string): string {
  return pattern.slice(routes.root.length)
}

/** What a scope's routes take as a body. */
export interface Taken {
  /** The types; '*' for any. */
  readonly types: readonly string[]
  readonly bytesMax: number
}

/** For routes that take no body: clients name a type also where they send none. */
export function takeNothing(fastify: FastifyInstance): void {
  fastify.addContentTypeParser('*', ({ headers }, _payload, done) => {
    const isEmpty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
    done(isEmpty ? null : new RequestRefusedError('MYNAH_MEDIA_TYPE_UNKNOWN', UNKNOWN_TYPE), undefined)
  })
}

/** Takes bodies of some types, as bytes, at most so many of them, not compressed, and of no other type. */
export function takeBytes(fastify: FastifyInstance, { types, bytesMax }: Taken, budget: ByteBudget): void {
  if (types.includes('*')) fastify.removeContentTypeParser('*')
  for (const type of types)
    fastify.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: bytesMax }, (_request, body, done) =>
      done(null, body),
    )
  fastify.addHook('onRequest', (request, reply, done) => {
    if ((request.headers['content-encoding'] ?? 'identity').trim().toLowerCase() !== 'identity') {
      reply.header('accept-encoding', 'identity')
      throw new RequestRefusedError('MYNAH_MEDIA_TYPE_UNKNOWN', 'A body is sent as it is, not compressed')
    }
    const length = Number(request.headers['content-length'] ?? 0)
    if (length > 0) budget.hold(Math.min(length, bytesMax), clientOf(request), reply.raw)
    done()
  })
  fastify.addHook('preParsing', (request, reply, payload, done) => {
    if (request.headers['transfer-encoding'] === undefined) return done(null, payload)
    done(null, countedBody(request.raw, { budget, client: clientOf(request), answer: reply.raw }))
  })
}

/** Sends an answer that is whole; a long one counts as held while it leaves, however slowly it is taken. */
export function sendWhole(
  reply: FastifyReply,
  type: string,
  answer: string | Uint8Array,
  budget: ByteBudget,
): FastifyReply {
  if (answer.length > COUNTED_TEXT) budget.hold(answer.length, clientOf(reply.request), reply.raw)
  return reply.type(type).send(answer)
}

/** Sends an answer of the protocol, whose bytes count as held while they leave. */
export function sendAnswer(
  reply: FastifyReply,
  { status, headers, body }: TransportAnswer,
  budget: ByteBudget,
): FastifyReply {
  const type = headers['content-type']
  if (type === mediaTypes.shard || type === mediaTypes.shards)
    budget.hold(body.length, clientOf(reply.request), reply.raw)
  reply.code(status).headers(headers)
  return status === 204 ? reply.send() : reply.send(body)
}
