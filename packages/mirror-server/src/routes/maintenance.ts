import type { Env, Value } from '@mynah/core'
import { documentJson, mediaTypes, routes } from '@mynah/replication/protocol'
import { type Query, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import type { ServedDatabase } from '../access/limited-database.js'
import { refuseOtherMethods } from '../http/failures.js'
import { jsonLines, sendLines } from '../http/lines.js'
import { negotiate } from '../http/negotiate.js'
import { flagOf } from '../http/query.js'
import { Latest } from './latest.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions } from './scope.js'

/** A line of an answer: how far the work is, or, at last, what it came to. */
type Told = { readonly progress: Value } | { readonly report: Value }

type Work = (
  database: ServedDatabase,
  query: Query,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: object) => void },
) => Promise<object>

/**
 * Work that may take minutes. It is told as it goes, so that nothing in between takes the connection for dead, and ends
 * when the client goes.
 */
export const maintenanceRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, budget } = options
  const atWork = new Set<string>()
  const works: readonly (readonly [pattern: string, work: Work])[] = [
    [
      routes.verify,
      (database, query, told) =>
        database.verify({
          ...told,
          repair: flagOf(query, 'repair'),
          acceptLoss: flagOf(query, 'acceptLoss'),
        }),
    ],
    [routes.compact, (database, _query, told) => database.compact(told)],
  ]
  for (const [pattern, work] of works) {
    const url = belowRoot(pattern)
    fastify.post<DatabaseRequest>(url, needs('admin'), async (request, reply) => {
      const { params, query } = request
      negotiate(request, reply, [mediaTypes.lines])
      flagOf(query, 'repair')
      flagOf(query, 'acceptLoss')
      const { database } = await databases.get(request)
      // Each run takes a good part of a processor and of the disk; a second one would only wait for the first.
      if (atWork.has(params.db))
        throw new RequestRefusedError('MYNAH_BUSY', 'The database is being verified or compacted already')
      atWork.add(params.db)
      const told = ({ signal }: AbortController) =>
        tell(
          env,
          signal,
          (listener) => work(database, query, { signal, onProgress: listener }),
          () => atWork.delete(params.db),
        )
      return await sendLines(reply, told, { lines: jsonLines(documentJson), env, budget, live: true })
    })
    refuseOtherMethods(fastify, url, ['POST'])
  }
}

/**
 * How far the work is, the newest only, and what it came to. It begins now, whether or not anybody will listen, and `over`
 * is called when it has ended.
 */
function tell(
  env: Env,
  signal: AbortSignal,
  run: (onProgress: (progress: object) => void) => Promise<object>,
  over: () => void,
): AsyncGenerator<Told & Value> {
  const latest = new Latest<object>()
  const done = run((progress) => latest.tell(progress)).finally(() => {
    over()
    latest.end()
  })
  // Awaited below, or not at all when the client has gone.
  done.catch(() => undefined)
  return (async function* () {
    for await (const progress of latest.values(env, signal)) yield { progress: progress as Value }
    yield { report: (await done) as Value }
  })()
}
