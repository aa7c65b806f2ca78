import { type Change, type ChangesOptions, CursorLostError } from '@mynah/core'
import { parsePosition } from '@mynah/core/replica'
import { documentJson, mediaTypes, routes } from '@mynah/replication/protocol'
import type { Query, ServedReplica } from '@mynah/replication/serve'
import type { FastifyPluginAsync, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { jsonLines, type Lines, sendHead, sendLines } from '../http/lines.js'
import { negotiate } from '../http/negotiate.js'
import { flagOf, numberOf, textOf } from '../http/query.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions } from './scope.js'

const plain = jsonLines(changeJson)

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
const events: Lines<Change> = {
  type: mediaTypes.events,
  item: (change) => `id: ${change.cursor}\ndata: ${changeJson(change)}\n\n`,
  alive: ':\n\n',
  error: (json) => `event: error\ndata: ${json}\n\n`,
}

/** What changed, as lines of JSON or as server-sent events. */
export const changesRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, liveStreams, budget } = options
  const url = belowRoot(routes.changes)
  const handler: RouteHandlerMethod = async (request, reply) => {
    const { query, headers, params } = request as FastifyRequest<DatabaseRequest>
    const last = headers['last-event-id']
    const asked = changesOf(query, typeof last === 'string' ? last : undefined)
    const type = negotiate(request, reply, [mediaTypes.lines, mediaTypes.events])
    const lines = type === mediaTypes.events ? events : plain
    const { database, replica } = await databases.get(request)
    if (reply.raw.destroyed) return reply.hijack()
    requireCursor(replica, asked.since)
    if (request.method === 'HEAD') return await sendHead(reply, type, asked.live === true)
    // Its socket is of no further use, and would hold up a stop as an idle one.
    if (asked.live) reply.header('connection', 'close')
    const changes = (over: AbortController) => {
      if (asked.live) liveStreams.add({ sink: reply.raw, end: () => over.abort() }, params.db)
      return database.changes({ ...asked, signal: over.signal })
    }
    return await sendLines(reply, changes, { lines, env, budget, live: asked.live === true })
  }
  fastify.get(url, { exposeHeadRoute: false, ...needs('read') }, handler)
  fastify.head(url, needs('read'), handler)
  refuseOtherMethods(fastify, url, ['GET'])
}

function changesOf(query: Query, lastEvent: string | undefined): ChangesOptions {
  const since = lastEvent ?? textOf(query, 'since')
  const prefix = textOf(query, 'prefix')
  const limit = numberOf(query, 'limit', Number.MAX_SAFE_INTEGER)
  return {
    live: flagOf(query, 'live'),
    documents: flagOf(query, 'documents'),
    ...(since !== undefined && { since }),
    ...(prefix !== undefined && { prefix }),
    ...(limit !== undefined && { limit }),
  }
}

/** Before the answer begins: then it has a status of its own. @throws CursorLostError */
function requireCursor(replica: ServedReplica, since: string | undefined): void {
  if (since === undefined || since === 'now') return
  const position = parsePosition(since)
  if (position === undefined || !replica.holds(position)) throw new CursorLostError(since)
}

function changeJson({ cursor, seq, id, rev, deleted, conflicts, doc }: Change): string {
  return documentJson({ cursor, seq, id, rev, deleted, conflicts, doc })
}
