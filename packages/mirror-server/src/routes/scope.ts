import type { Env } from '@mynah/core'
import type { TransportAnswer } from '@mynah/replication'
import { mediaTypes, routes } from '@mynah/replication/protocol'
import type { ProtocolRoute, Query } from '@mynah/replication/serve'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Access } from '../access/access.js'
import type { RouteRight } from '../access/guard.js'
import type { ByteBudget } from '../byte-budget.js'
import type { Gate } from '../gate.js'
import type { LiveStreams } from '../live-streams.js'

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
export function needs(right: RouteRight): { readonly config: { readonly right: RouteRight } } {
  return { config: { right } }
}

/** The part of a route's pattern below `/v1`. */
export function belowRoot(pattern: string): string {
  return pattern.slice(routes.root.length)
}

/** Takes bodies of one type, as bytes, at most so many of them, and of no other type. */
export function takeBytes(
  fastify: FastifyInstance,
  { type, bytesMax }: NonNullable<ProtocolRoute['takes']>,
  budget: ByteBudget,
): void {
  fastify.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: bytesMax }, (_request, body, done) =>
    done(null, body),
  )
  fastify.addHook('onRequest', async (request, reply) => {
    // A body without a length may be as long as any.
    const length = Number(request.headers['content-length'] ?? bytesMax)
    budget.hold(Math.min(length, bytesMax), reply.raw)
  })
}

/** Shorter texts are not counted: a socket holds as much by itself. */
export const COUNTED_TEXT = 64 * 1024

/** Sends JSON, or lines of it; a long one counts as held while it leaves, however slowly it is taken. */
export function sendText(reply: FastifyReply, type: string, text: string, budget: ByteBudget): FastifyReply {
  if (text.length > COUNTED_TEXT) budget.hold(text.length, reply.raw)
  return reply.type(type).send(text)
}

/** Sends an answer of the protocol, whose bytes count as held while they leave. */
export function sendAnswer(
  reply: FastifyReply,
  { status, headers, body }: TransportAnswer,
  budget: ByteBudget,
): FastifyReply {
  if (headers['content-type'] === mediaTypes.shard) budget.hold(body.length, reply.raw)
  reply.code(status).headers(headers)
  return status === 204 ? reply.send() : reply.send(body)
}
