import type { Conflict, Version } from '@mynah/core'
import { acceptId } from '@mynah/core/replica'
import { documentJson, mediaTypes, routes } from '@mynah/replication/protocol'
import type { FastifyPluginAsync, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { jsonLines, sendHead, sendLines } from '../http/lines.js'
import { negotiate } from '../http/negotiate.js'
import { flagOf, numberOf } from '../http/query.js'
import { representationFor } from '../http/representation.js'
import { absent, type DocumentRequest } from './documents.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendWhole } from './scope.js'

/** What a database tells of itself: how much it holds, what is in conflict, and what documents were before. */
export const inspectionRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, budget } = options
  const stats = belowRoot(routes.stats)
  fastify.get<DatabaseRequest>(stats, needs('admin'), async (request, reply) => {
    const { type, write } = representationFor(request, reply)
    const { database, replica } = await databases.get(request)
    const { id, mode } = replica
    const told = write({ id, mode, ...(await database.stats()) } as never)
    return await sendWhole(reply.header('cache-control', 'no-store'), type, told, budget)
  })
  refuseOtherMethods(fastify, stats, ['GET'])

  const conflicts = belowRoot(routes.conflicts)
  const listConflicts: RouteHandlerMethod = async (request, reply) => {
    const { query } = request as FastifyRequest<DatabaseRequest>
    const type = negotiate(request, reply, [mediaTypes.lines])
    const limit = numberOf(query, 'limit', Number.MAX_SAFE_INTEGER)
    const { database } = await databases.get(request)
    if (request.method === 'HEAD') return await sendHead(reply, type, false)
    const lines = jsonLines((conflict: Conflict) => documentJson({ ...conflict }))
    const found = () => firstOf(database.conflicts(), limit)
    return await sendLines(reply, found, { lines, env, budget, live: false })
  }
  fastify.get(conflicts, { exposeHeadRoute: false, ...needs('read') }, listConflicts)
  fastify.head(conflicts, needs('read'), listConflicts)
  refuseOtherMethods(fastify, conflicts, ['GET'])

  const history = belowRoot(routes.history)
  const listHistory: RouteHandlerMethod = async (request, reply) => {
    const { params, query } = request as FastifyRequest<DocumentRequest>
    const type = negotiate(request, reply, [mediaTypes.lines])
    const limit = numberOf(query, 'limit', Number.MAX_SAFE_INTEGER)
    const documents = flagOf(query, 'documents')
    const { database } = await databases.get(request)
    const id = acceptId(params['*'])
    const versions = database.history(id)[Symbol.asyncIterator]()
    const first = await versions.next()
    if (first.done === true) throw absent(false)
    if (request.method === 'HEAD') {
      await versions.return?.()
      return await sendHead(reply, type, false)
    }
    const lines = jsonLines(({ doc, ...version }: Version) =>
      documentJson(documents ? { ...version, doc } : version),
    )
    const found = () => firstOf(from(first.value, versions), limit)
    return await sendLines(reply, found, { lines, env, budget, live: false })
  }
  fastify.get(history, { exposeHeadRoute: false, ...needs('read') }, listHistory)
  fastify.head(history, needs('read'), listHistory)
  refuseOtherMethods(fastify, history, ['GET'])
}

async function* from<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  try {
    yield first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

async function* firstOf<T>(items: AsyncIterable<T>, limit = Number.POSITIVE_INFINITY): AsyncGenerator<T> {
  let left = limit
  for await (const item of items) {
    yield item
    left -= 1
    if (left === 0) return
  }
}
