import { ConflictError, DocumentInvalidError, MynahError } from '@mynah/core'
import { type ErrorMessage, encodeError } from '../protocol/messages.js'
import type { TransportAnswer } from '../transport/transport.js'
import { jsonAnswer } from './body.js'

/** The status of each code that an answer may carry; any other is 500. */
const statuses = {
  MYNAH_DOCUMENT_INVALID: 400,
  MYNAH_MESSAGE_INVALID: 400,
  MYNAH_DATABASE_NAME_INVALID: 400,
  MYNAH_REQUEST_INVALID: 400,
  MYNAH_TOKEN_INVALID: 401,
  MYNAH_FORBIDDEN: 403,
  MYNAH_READ_ONLY: 403,
  MYNAH_DATABASE_UNKNOWN: 404,
  MYNAH_DOCUMENT_UNKNOWN: 404,
  MYNAH_KEY_UNKNOWN: 404,
  MYNAH_ROUTE_UNKNOWN: 404,
  MYNAH_METHOD_UNKNOWN: 405,
  MYNAH_NOT_ACCEPTABLE: 406,
  MYNAH_REQUEST_TIMEOUT: 408,
  MYNAH_CONFLICT: 409,
  MYNAH_CURSOR_LOST: 410,
  MYNAH_DOCUMENT_DELETED: 410,
  MYNAH_PRECONDITION_FAILED: 412,
  MYNAH_REQUEST_TOO_LARGE: 413,
  MYNAH_MEDIA_TYPE_UNKNOWN: 415,
  MYNAH_REVISION_REFUSED: 422,
  MYNAH_RATE_LIMITED: 429,
  MYNAH_HEADERS_TOO_LARGE: 431,
  MYNAH_INTERNAL: 500,
  MYNAH_BUSY: 503,
  MYNAH_CLOSED: 503,
  MYNAH_INDEX_CORRUPT: 503,
  MYNAH_LOCKED: 503,
  MYNAH_NOT_READY: 503,
  MYNAH_RECORD_LOST: 503,
  MYNAH_SHARD_CORRUPT: 503,
  MYNAH_STALE: 503,
  MYNAH_STORAGE: 503,
  MYNAH_UNREACHABLE: 503,
  MYNAH_DISK_FULL: 507,
} as const satisfies Record<`MYNAH_${string}`, number>

/** A code that an answer may carry. */
export type FailureCode = keyof typeof statuses

/** A request that is not served, for a reason that only the protocol knows. */
export class RequestRefusedError extends MynahError {
  override readonly name = 'RequestRefusedError'
  declare readonly code: FailureCode
  constructor(code: FailureCode, message: string) {
    super(code, message)
  }
}

/** A condition of the request's headers does not hold, and it was not done. */
export class PreconditionFailedError extends RequestRefusedError {
  constructor(
    message: string,
    /** The current rev, where there is one. */
    readonly rev: string | undefined,
  ) {
    super('MYNAH_PRECONDITION_FAILED', message)
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

/** What the client is told of an error. */
export interface Failure extends ErrorMessage {
  readonly status: number
}

/** What becomes of an error: its status and code, and below 500 its message, which else may name files of this machine. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof MynahError)) {
    return { status: 500, code: 'MYNAH_INTERNAL', message: 'The mirror failed; its log says why' }
  }
  const known: Readonly<Record<string, number>> = statuses
  const status = error instanceof DatabaseUnavailableError ? 503 : (known[error.code] ?? 500)
  if (error instanceof RequestRefusedError || status < 500)
    return { status, code: error.code, message: error.message, ...particulars(error) }
  return { status, code: error.code, message: 'The mirror could not do this; its log says why' }
}

/** What the other side needs to make the same error of it. */
function particulars(error: MynahError): Pick<ErrorMessage, 'rev' | 'path' | 'detail'> {
  if (error instanceof ConflictError || error instanceof PreconditionFailedError)
    return error.rev === undefined ? {} : { rev: error.rev }
  return error instanceof DocumentInvalidError ? { path: error.path, detail: error.detail } : {}
}

/** The failure as an answer of the protocol. */
export function failureAnswer(failure: Failure): TransportAnswer {
  return jsonAnswer(encodeError(failure), failure.status)
}
