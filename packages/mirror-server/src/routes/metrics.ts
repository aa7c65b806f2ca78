import { MynahError } from '@mynah/core'
import { parsePosition } from '@mynah/core/replica'
import { routes } from '@mynah/replication/protocol'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Follower } from '../databases/follower.js'
import { httpFailureOf, refuseOtherMethods } from '../http/failures.js'
import { type DatabaseSight, databaseMetrics } from '../metrics/database-metrics.js'
import { PeerLag } from '../metrics/peer-lag.js'
import { ServerMetrics } from '../metrics/server-metrics.js'
import { type DatabaseRequest, needs, type RouteOptions } from './scope.js'

/** What `/metrics` looks at. */
export interface MetricsOptions extends RouteOptions {
  /** The folder of the databases. */
  readonly folder: string
  readonly follower: Pick<Follower, 'statuses'> | undefined
}

/** Counts what is asked of the routes that are registered after it. */
export function countRequests(fastify: FastifyInstance, options: MetricsOptions): FastifyPluginAsync {
  const server = new ServerMetrics(options)
  const lag = new PeerLag(options.env)
  fastify.addHook('onResponse', (request, reply, done) => {
    done()
    const { method } = request
    const { url } = request.routeOptions
    // A path that is no route is anybody's invention, and would be a label of its own.
    const route = request.is404 || url === undefined ? 'none' : url.slice(fastify.prefix.length)
    if (String(reply.getHeader('cache-control')).includes('no-transform')) return
    server.answered(method, route, reply.statusCode, reply.elapsedTime / 1_000)
    if (route !== routes.records || method !== 'GET' || reply.statusCode >= 300) return
    const { params, query } = request as {
      readonly params: DatabaseRequest['Params']
      readonly query: DatabaseRequest['Querystring']
    }
    const since = typeof query.since === 'string' ? parsePosition(query.since) : undefined
    lag.heard(params.db, request.grant?.id ?? 'none', since?.seq ?? 0)
  })
  fastify.addHook('onError', async (_request, _reply, error) => server.refused(httpFailureOf(error).code))
  return async (scope) => metricsRoute(scope, options, server, lag)
}

/** For Prometheus: of the process, and of the databases that the token reaches whole. */
async function metricsRoute(
  fastify: FastifyInstance,
  { databases, follower }: MetricsOptions,
  server: ServerMetrics,
  lag: PeerLag,
): Promise<void> {
  fastify.get(routes.metrics, needs('read'), async (request, reply) => {
    const mirrors = await follower?.statuses()
    const sights: DatabaseSight[] = []
    for (const name of await databases.names(request)) {
      try {
        const { database } = await databases.get(request, name)
        sights.push({
          name,
          stats: await database.stats(),
          mirrors: mirrors?.get(name) ?? [],
          peers: lag.of(name),
        })
      } catch (error) {
        // One that does not open, or that the token reaches in part, is left out.
        if (!(error instanceof MynahError)) throw error
      }
    }
    const text = `${await server.registry.metrics()}\n${await databaseMetrics(sights)}`
    return await reply.type(server.registry.contentType).header('cache-control', 'no-store').send(text)
  })
  refuseOtherMethods(fastify, routes.metrics, ['GET'])
}
