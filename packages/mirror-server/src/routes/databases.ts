import { routes } from '@mynah/replication/protocol'
import { answerCreated, answerRoot } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { version } from '../version.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendAnswer } from './scope.js'

/** Which databases there are, making one, and dropping one. */
export const databaseRoutes: FastifyPluginAsync<RouteOptions> = async (
  fastify,
  { databases, env, budget },
) => {
  fastify.get(belowRoot(routes.root), needs('any'), async (request, reply) =>
    sendAnswer(reply, answerRoot(await databases.names(request), version), budget),
  )
  refuseOtherMethods(fastify, belowRoot(routes.root), ['GET'])

  fastify.put<DatabaseRequest>(
    belowRoot(routes.database),
    needs('admin', { writes: true }),
    async (request, reply) => {
      const answer = answerCreated(request)
      const { opened, created } = await databases.create(request)
      if (created) request.log.info({ database: opened.name }, 'database created')
      const info = await answer(opened, env)
      if (created) reply.header('location', request.routeOptions.url!.replace(':db', opened.name))
      return await sendAnswer(reply, { ...info, status: created ? 201 : 200 }, budget)
    },
  )

  fastify.delete<DatabaseRequest>(belowRoot(routes.database), needs('admin'), async (request, reply) => {
    await databases.drop(request)
    request.log.info({ database: request.params.db }, 'database dropped')
    return await reply.code(204).send()
  })
}
