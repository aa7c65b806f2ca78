import { MynahError } from '@mynah/core'
import { routes } from '@mynah/replication/protocol'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import type { DiskGuard } from '../bounds/disk-guard.js'
import type { Databases } from '../databases/databases.js'
import { refuseOtherMethods } from '../http/failures.js'
import { needs } from './scope.js'

/** What `/ready` looks at. */
export interface HealthOptions {
  readonly databases: Databases
  readonly disk: DiskGuard
}

/** Whether the process answers, and whether it is of use. Open to all, and says nothing else: no names, no paths. */
export const healthRoutes: FastifyPluginAsync<HealthOptions> = async (fastify, { databases, disk }) => {
  fastify.get(routes.health, needs('open'), async () => ({ ok: true }))
  refuseOtherMethods(fastify, routes.health, ['GET'], 'open')

  fastify.get(routes.ready, needs('open'), async (_request, reply) => {
    const names = await databases.names()
    const opened = await Promise.allSettled(names.map((name) => databases.get(name)))
    const failed = opened.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    const broken = failed.find((error) => !(error instanceof MynahError))
    if (broken !== undefined) throw broken
    const reason =
      failed.length > 0
        ? `${failed.length} of ${names.length} databases do not open`
        : disk.full
          ? 'The disk is nearly full'
          : undefined
    if (reason !== undefined) throw new RequestRefusedError('MYNAH_NOT_READY', reason)
    return await reply.header('cache-control', 'no-store').send({ ok: true })
  })
  refuseOtherMethods(fastify, routes.ready, ['GET'], 'open')
}
