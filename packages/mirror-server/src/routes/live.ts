import type { OutgoingHttpHeaders } from 'node:http'
import { mediaTypes, routes } from '@mynah/replication/protocol'
import { follow, followed } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { LiveStream } from '../http/live-stream.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions } from './scope.js'

/** Tells how far a database has come, as it comes along. */
export const liveRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, liveStreams } = options
  const url = belowRoot(routes.live)
  fastify.get<DatabaseRequest>(url, { exposeHeadRoute: false, ...needs('sync') }, async (request, reply) => {
    const prefixes = followed(request.query)
    const { replica } = await databases.get(request)
    if (reply.raw.destroyed) return
    reply.hijack()
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': mediaTypes.lines,
      'cache-control': 'no-store',
      // Its socket is of no further use, and would hold up a stop as an idle one.
      connection: 'close',
    })
    const stream = new LiveStream(reply.raw, env)
    stream.heed(follow(replica, { env, prefixes, tell: (position) => stream.tell(position) }))
    liveStreams.add(stream, request.params.db)
  })
  fastify.head<DatabaseRequest>(url, needs('sync'), async (request, reply) => {
    await databases.get(request)
    return await reply.type(mediaTypes.lines).header('cache-control', 'no-store').send()
  })
  refuseOtherMethods(fastify, url, ['GET'])
}
