import { MynahError } from '@mynah/core'

/** A message that is not of the protocol: the wrong shape, length, depth or type. On HTTP 400. */
export class MessageInvalidError extends MynahError {
  override readonly name = 'MessageInvalidError'
  constructor(
    /** Which message, as in `push answer`. */
    readonly what: string,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_MESSAGE_INVALID', `Invalid ${what}: ${detail}`, options)
  }
}

/** A name that no database can have. On HTTP 400. */
export class DatabaseNameInvalidError extends MynahError {
  override readonly name = 'DatabaseNameInvalidError'
  constructor(readonly database: string) {
    super('MYNAH_DATABASE_NAME_INVALID', `${JSON.stringify(database)} cannot be a database's name`)
  }
}

/** The mirror has no database of this name. On HTTP 404. */
export class DatabaseUnknownError extends MynahError {
  override readonly name = 'DatabaseUnknownError'
  constructor(readonly database: string) {
    super('MYNAH_DATABASE_UNKNOWN', `There is no database ${JSON.stringify(database)}`)
  }
}
