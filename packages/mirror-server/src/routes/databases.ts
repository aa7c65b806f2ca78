import {
  type DatabaseInfo,
  encodeInfo,
  mediaTypes,
  protocolVersion,
  routes,
  wireLimits,
} from '@mynah/replication/protocol'
import type { FastifyPluginAsync } from 'fastify'
import type { OpenDatabase } from '../databases.js'
import { refuseOtherMethods } from '../failures.js'
import { type Query, queryPositions } from '../query.js'
import { version } from '../version.js'
import { belowRoot, type DatabaseRequest, type RouteOptions } from './scope.js'

async function infoOf({ name, database, replica }: OpenDatabase, query: Query): Promise<DatabaseInfo> {
  const asked = queryPositions(query, 'holds', wireLimits.holds)
  return {
    name,
    id: replica.id,
    mode: replica.mode,
    protocol: protocolVersion,
    position: replica.position(),
    documents: await database.count(),
    limits: { requestBytes: wireLimits.requestBytes, batchRecords: wireLimits.batchRecords },
    ...(asked === undefined ? {} : { holds: asked.map((position) => replica.holds(position)) }),
  }
}

/** Which databases there are, what one of them is, and making one. */
export const databaseRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, { databases }) => {
  fastify.get(belowRoot(routes.root), async () => ({
    name: 'mynah',
    version,
    protocol: protocolVersion,
    databases: await databases.names(),
  }))
  refuseOtherMethods(fastify, belowRoot(routes.root), ['GET'])

  const url = belowRoot(routes.database)
  fastify.get<DatabaseRequest>(url, async (request, reply) => {
    const opened = await databases.get(request.params.db)
    return await reply.type(mediaTypes.json).send(encodeInfo(await infoOf(opened, request.query)))
  })
  fastify.put<DatabaseRequest>(url, async (request, reply) => {
    const { opened, created } = await databases.create(request.params.db)
    if (created) request.log.info({ database: opened.name }, 'database created')
    const info = await infoOf(opened, request.query)
    return await reply
      .code(created ? 201 : 200)
      .type(mediaTypes.json)
      .send(encodeInfo(info))
  })
  refuseOtherMethods(fastify, url, ['GET', 'PUT'])
}
