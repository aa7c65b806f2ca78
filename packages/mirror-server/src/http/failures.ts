import { METHODS } from 'node:http'
import { ClosedError, MynahError } from '@mynah/core'
import { encodeError, mediaTypes } from '@mynah/replication/protocol'
import {
  DatabaseUnavailableError,
  type Failure,
  type FailureCode,
  failureOf,
  RequestRefusedError,
} from '@mynah/replication/serve'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import type { RouteRight } from '../access/guard.js'
import { serverLimits } from '../limits.js'

/** What fastify and Node call the client's mistakes. */
const byStatus: Readonly<Record<number, FailureCode>> = {
  408: 'MYNAH_REQUEST_TIMEOUT',
  413: 'MYNAH_REQUEST_TOO_LARGE',
  414: 'MYNAH_REQUEST_TOO_LARGE',
  415: 'MYNAH_MEDIA_TYPE_UNKNOWN',
  431: 'MYNAH_HEADERS_TOO_LARGE',
}

/** In the words of who sent it: a form is what `curl -d` sends when it is told nothing. */
export const UNKNOWN_TYPE =
  'This path takes no body of this Content-Type; a document is application/json or application/msgpack, as in curl -H "content-type: application/json"'

/** As `failureOf` tells it, but for what fastify and Node found wrong with a request. */
export function httpFailureOf(error: unknown): Failure {
  const status = error instanceof Error ? (error as Partial<FastifyError>).statusCode : undefined
  if (!(error instanceof MynahError) && status !== undefined && status >= 400 && status < 500) {
    const message = status === 415 ? UNKNOWN_TYPE : (error as Error).message
    return { status, code: byStatus[status] ?? 'MYNAH_REQUEST_INVALID', message }
  }
  return failureOf(error)
}

/** Answers an error as `{ code, message }`, and logs those that are this side's. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = httpFailureOf(error)
  if (failure.status >= 500 && !isExpected(error)) {
    request.log.error(
      { err: error, method: request.method, route: request.routeOptions.url },
      'request failed',
    )
  }
  if (failure.status === 503) reply.header('retry-after', String(serverLimits.retryAfterS))
  if (failure.status === 401) reply.header('www-authenticate', 'Bearer')
  // The rest of a body that nobody wants would otherwise be read to its end.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
    if (!request.raw.complete) reply.header('connection', 'close')
  }
  reply.header('cache-control', 'no-store')
  return reply.code(failure.status).type(mediaTypes.json).send(encodeError(failure))
}

/** What says nothing new in a log: a stop, a full house, or a database whose failure was logged when it did not open. */
function isExpected(error: unknown): boolean {
  return (
    error instanceof ClosedError ||
    error instanceof RequestRefusedError ||
    error instanceof DatabaseUnavailableError
  )
}

/** For a path that is no route. */
export function refuseRoute(): never {
  throw new RequestRefusedError('MYNAH_ROUTE_UNKNOWN', 'There is nothing at this path')
}

/** All that Node reads but those that are answered otherwise: `CONNECT` by Node itself. */
const everyMethod: readonly HTTPMethods[] = METHODS.filter((one) => one !== 'OPTIONS' && one !== 'CONNECT')

/** Has the server know all methods, so that paths can say which of them are theirs. */
function knowMethods(fastify: FastifyInstance): void {
  const known = fastify.supportedMethods
  for (const method of everyMethod) if (!known.includes(method)) fastify.addHttpMethod(method)
}

/** Answers all methods but those that the route has; `OPTIONS` with what they are. A `GET` has its `HEAD` already. */
export function refuseOtherMethods(
  fastify: FastifyInstance,
  url: string,
  methods: readonly HTTPMethods[],
  right: RouteRight = 'any',
): void {
  knowMethods(fastify)
  const own: readonly HTTPMethods[] = methods.includes('GET') ? ['GET', 'HEAD', ...methods.slice(1)] : methods
  const allow = [...own, 'OPTIONS'].join(', ')
  fastify.route({
    method: 'OPTIONS',
    url,
    config: { right },
    handler: async (_request, reply) => await reply.code(204).header('allow', allow).send(),
  })
  fastify.route({
    method: everyMethod.filter((method) => !own.includes(method)),
    url,
    config: { right },
    onRequest: async (request, reply) => {
      reply.header('allow', allow)
      throw new RequestRefusedError('MYNAH_METHOD_UNKNOWN', `${request.method} is not for this path`)
    },
    handler: refuseRoute,
  })
}
