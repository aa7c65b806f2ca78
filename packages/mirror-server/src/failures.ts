import { ClosedError, MynahError } from '@mynah/core'
import { encodeError, mediaTypes } from '@mynah/replication/protocol'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { serverLimits } from './limits.js'

/** The status of each code that an answer may carry; any other is 500. */
const statuses = {
  MYNAH_DOCUMENT_INVALID: 400,
  MYNAH_MESSAGE_INVALID: 400,
  MYNAH_DATABASE_NAME_INVALID: 400,
  MYNAH_REQUEST_INVALID: 400,
  MYNAH_TOKEN_INVALID: 401,
  MYNAH_READ_ONLY: 403,
  MYNAH_DATABASE_UNKNOWN: 404,
  MYNAH_DOCUMENT_UNKNOWN: 404,
  MYNAH_ROUTE_UNKNOWN: 404,
  MYNAH_METHOD_UNKNOWN: 405,
  MYNAH_REQUEST_TIMEOUT: 408,
  MYNAH_CONFLICT: 409,
  MYNAH_CURSOR_LOST: 410,
  MYNAH_DOCUMENT_DELETED: 410,
  MYNAH_REQUEST_TOO_LARGE: 413,
  MYNAH_MEDIA_TYPE_UNKNOWN: 415,
  MYNAH_REVISION_REFUSED: 422,
  MYNAH_HEADERS_TOO_LARGE: 431,
  MYNAH_INTERNAL: 500,
  MYNAH_BUSY: 503,
  MYNAH_CLOSED: 503,
  MYNAH_INDEX_CORRUPT: 503,
  MYNAH_LOCKED: 503,
  MYNAH_RECORD_LOST: 503,
  MYNAH_SHARD_CORRUPT: 503,
  MYNAH_STALE: 503,
  MYNAH_STORAGE: 503,
  MYNAH_UNREACHABLE: 503,
} as const satisfies Record<`MYNAH_${string}`, number>

type Code = keyof typeof statuses

/** A request that is not served, for a reason that only HTTP knows. */
export class RequestRefusedError extends MynahError {
  override readonly name = 'RequestRefusedError'
  declare readonly code: Code
  constructor(code: Code, message: string) {
    super(code, message)
  }
}

/** A database that is there and does not open; `code` says why, and the others go on. */
export class DatabaseUnavailableError extends MynahError {
  override readonly name = 'DatabaseUnavailableError'
  override readonly retryable = true
  constructor(
    readonly database: string,
    cause: MynahError,
  ) {
    super(cause.code, `The database ${database} does not open: ${cause.message}`, { cause })
  }
}

/** What fastify and Node call the client's mistakes. */
const byStatus: Readonly<Record<number, Code>> = {
  408: 'MYNAH_REQUEST_TIMEOUT',
  413: 'MYNAH_REQUEST_TOO_LARGE',
  414: 'MYNAH_REQUEST_TOO_LARGE',
  415: 'MYNAH_MEDIA_TYPE_UNKNOWN',
  431: 'MYNAH_HEADERS_TOO_LARGE',
}

interface Failure {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** What the client is told: from 500 on the code only, as a message may name files of this machine. */
function failureOf(error: unknown): Failure {
  if (error instanceof MynahError) {
    const known: Readonly<Record<string, number>> = statuses
    const status = error instanceof DatabaseUnavailableError ? 503 : (known[error.code] ?? 500)
    if (error instanceof RequestRefusedError || status < 500)
      return { status, code: error.code, message: error.message }
    return { status, code: error.code, message: 'The mirror could not do this; its log says why' }
  }
  const status = error instanceof Error ? (error as Partial<FastifyError>).statusCode : undefined
  if (status !== undefined && status >= 400 && status < 500) {
    return { status, code: byStatus[status] ?? 'MYNAH_REQUEST_INVALID', message: (error as Error).message }
  }
  return { status: 500, code: 'MYNAH_INTERNAL', message: 'The mirror failed; its log says why' }
}

/** Answers an error as `{ code, message }`, and logs those that are this side's. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = failureOf(error)
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

const everyMethod: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Answers all methods but those that the route has. */
export function refuseOtherMethods(
  fastify: FastifyInstance,
  url: string,
  allowed: readonly HTTPMethods[],
): void {
  fastify.route({
    method: everyMethod.filter((method) => !allowed.includes(method)),
    url,
    onRequest: async (request, reply) => {
      reply.header('allow', allowed.join(', '))
      throw new RequestRefusedError('MYNAH_METHOD_UNKNOWN', `${request.method} is not for this path`)
    },
    handler: refuseRoute,
  })
}
