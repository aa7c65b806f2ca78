import { routes } from '@mynah/replication/protocol'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../failures.js'
import { needs } from './scope.js'

/** Whether the process answers. Open to all, and says nothing else. */
export const healthRoutes: FastifyPluginAsync = async (fastify) => {
  fastify.get(routes.health, needs('open'), async () => ({ ok: true }))
  refuseOtherMethods(fastify, routes.health, ['GET'], 'open')
}
