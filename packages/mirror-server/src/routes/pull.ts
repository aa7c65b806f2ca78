import { CursorLostError } from '@mynah/core'
import { encodeRecords } from '@mynah/core/replica'
import { headers, mediaTypes, positionText, routes, wireLimits } from '@mynah/replication/protocol'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../failures.js'
import { queryBytes, queryFlag, queryPosition, queryTexts } from '../query.js'
import { belowRoot, type DatabaseRequest, type RouteOptions } from './scope.js'

/** Gives pages of the feed. */
export const pullRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, shardGate, budget } = options
  const url = belowRoot(routes.records)
  fastify.get<DatabaseRequest>(url, async (request, reply) => {
    const { query } = request
    const since = queryPosition(query, 'since')
    const prefixes = queryTexts(query, 'prefix', wireLimits.prefixes)
    const feedOptions = {
      since: since?.seq ?? 0,
      bodies: queryFlag(query, 'bodies'),
      whole: queryFlag(query, 'whole'),
      bytes: queryBytes(query, 'bytes', wireLimits.pageBytes, wireLimits.pageBytesMax),
      ...(prefixes.length === 0 ? {} : { prefixes }),
    }
    const { replica } = await databases.get(request.params.db)
    if (since !== undefined && !replica.holds(since)) throw new CursorLostError(positionText(since))
    const { page, shard } = await shardGate.run(async () => {
      const page = await replica.feed(feedOptions)
      return { page, shard: page.records.length === 0 ? undefined : await encodeRecords(page.records, env) }
    })
    reply.header(headers.position, positionText(page.position)).header(headers.more, page.more ? '1' : '0')
    if (shard === undefined) return await reply.code(204).send()
    budget.hold(shard.length, reply.raw)
    return await reply.type(mediaTypes.shard).send(shard)
  })
  refuseOtherMethods(fastify, url, ['GET', 'POST'])
}
