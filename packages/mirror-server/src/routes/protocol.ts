import { routes } from '@mynah/replication/protocol'
import { protocolRoutes } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendAnswer, takeBytes } from './scope.js'

/** What is asked of one database and answered at once: the work is the protocol's, its bounds are this server's. */
export const answeredRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, shardGate, budget } = options
  for (const { method, pattern, takes, writes = false, shards, read } of protocolRoutes) {
    // In a scope of its own, as what it takes is for it alone.
    await fastify.register(async (scope) => {
      if (takes !== undefined) takeBytes(scope, { types: [takes.type], bytesMax: takes.bytesMax }, budget)
      scope.route<DatabaseRequest>({
        method,
        url: belowRoot(pattern),
        // Whoever may do anything with a database may know what it is.
        ...needs(pattern === routes.database ? 'any' : 'sync', { writes }),
        handler: async (request, reply) => {
          const answer = read(request)
          const opened = await databases.get(request)
          const answered = shards ? await shardGate.run(() => answer(opened, env)) : await answer(opened, env)
          return await sendAnswer(reply, answered, budget)
        },
      })
    })
  }
  for (const pattern of new Set(protocolRoutes.map((route) => route.pattern))) {
    const methods = protocolRoutes.filter((route) => route.pattern === pattern).map(({ method }) => method)
    const allowed = pattern === routes.database ? [...methods, 'PUT' as const, 'DELETE' as const] : methods
    refuseOtherMethods(fastify, belowRoot(pattern), allowed)
  }
}
