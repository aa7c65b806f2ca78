import type { Env } from '@mynah/core'
import { type mediaTypes, routes } from '@mynah/replication/protocol'
import type { FastifyInstance } from 'fastify'
import type { ByteBudget } from '../byte-budget.js'
import type { Databases } from '../databases.js'
import type { Gate } from '../gate.js'
import type { LiveStreams } from '../live-streams.js'
import type { Query } from '../query.js'

/** What the routes of one mirror share. */
export interface RouteOptions {
  readonly databases: Databases
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

/** The part of a route's pattern below `/v1`. */
export function belowRoot(pattern: string): string {
  return pattern.slice(routes.root.length)
}

/** Takes bodies of one type, as bytes, at most `bodyLimit` of them, and of no other type. */
export function takeBytes(
  fastify: FastifyInstance,
  type: (typeof mediaTypes)[keyof typeof mediaTypes],
  bodyLimit: number,
  budget: ByteBudget,
): void {
  fastify.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
    done(null, body),
  )
  fastify.addHook('onRequest', async (request, reply) => {
    // A body without a length may be as long as any.
    const length = Number(request.headers['content-length'] ?? bodyLimit)
    budget.hold(Math.min(length, bodyLimit), reply.raw)
  })
}
