import { MynahError } from '@mynah/core'
import type { Parked } from '@mynah/core/replica'

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

/** The mirror could not be asked: no connection, cut off, too slow, or silent. */
export class MirrorUnreachableError extends MynahError {
  override readonly name = 'MirrorUnreachableError'
  override readonly retryable = true
  constructor(
    /** The mirror's address; '' where there is none to ask. */
    readonly mirror: string,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super(
      'MYNAH_MIRROR_UNREACHABLE',
      mirror === '' ? `No mirror was reached: ${detail}` : `${mirror} was not reached: ${detail}`,
      options,
    )
  }
}

/** The database at this address is replicated with already, by another address: it is one mirror, and counts once. */
export class SameMirrorError extends MynahError {
  override readonly name = 'SameMirrorError'
  constructor(
    readonly mirror: string,
    /** The database's id. */
    readonly database: string,
  ) {
    super('MYNAH_MIRROR_SAME', `${mirror} leads to a database that another address leads to as well`)
  }
}

/** Something answered at the mirror's address, but not as a mirror: a captive portal, a proxy, a fault there. Never data. */
export class MirrorAnswerError extends MynahError {
  override readonly name = 'MirrorAnswerError'
  override readonly retryable = true
  constructor(
    readonly mirror: string,
    readonly status: number,
    readonly detail: string,
    options?: ErrorOptions & {
      /** The code that the answer carried, where it was an error of the protocol. */
      readonly answerCode?: string
    },
  ) {
    super('MYNAH_MIRROR_ANSWER', `${mirror} answered ${status}: ${detail}`, options)
    this.answerCode = options?.answerCode
  }

  readonly answerCode: string | undefined
}

/** The mirror refuses the token, or what the token is asked for. Another token mends it, or the mirror's operator does. */
export class MirrorRefusedError extends MynahError {
  override readonly name = 'MirrorRefusedError'
  constructor(
    readonly mirror: string,
    /** `MYNAH_TOKEN_INVALID`: it knows no such token (any more). `MYNAH_FORBIDDEN`: the token is not for this. */
    readonly answerCode: (typeof refusals)[number],
    readonly detail: string,
  ) {
    super('MYNAH_MIRROR_REFUSED', `${mirror} refuses: ${detail}`)
  }
}

const refusals = ['MYNAH_TOKEN_INVALID', 'MYNAH_FORBIDDEN'] as const

/** The error for an answer that is an error of the protocol. */
export function answeredError(
  mirror: string,
  status: number,
  { code, message }: { readonly code: string; readonly message: string },
): MirrorRefusedError | MirrorAnswerError {
  const refusal = refusals.find((one) => one === code)
  if (refusal !== undefined) return new MirrorRefusedError(mirror, refusal, message)
  return new MirrorAnswerError(mirror, status, message, { answerCode: code })
}

/** A mirror refused documents that were written here. They stay here, and in the inbox of `rejected()`. */
export class RejectedError extends MynahError {
  override readonly name = 'RejectedError'
  constructor(readonly rejections: readonly Parked[]) {
    const [first] = rejections
    super(
      'MYNAH_REJECTED',
      `${rejections.length} refused by the mirror` +
        (first === undefined ? '' : `, the first ${JSON.stringify(first.id)}: ${first.reason}`),
    )
  }
}

/** Fewer mirrors are known than a `synced` asks for. Several addresses of one database are one mirror. */
export class MirrorsTooFewError extends MynahError {
  override readonly name = 'MirrorsTooFewError'
  constructor(
    readonly wanted: number,
    readonly known: number,
  ) {
    super('MYNAH_MIRRORS_TOO_FEW', `${wanted} mirrors were asked for, and ${known} are known`)
  }
}

/** The database is being replicated already: one `Replication` at a time. Close the other first. */
export class ReplicationRunningError extends MynahError {
  override readonly name = 'ReplicationRunningError'
  constructor(readonly database: string) {
    super('MYNAH_REPLICATION_RUNNING', `Database ${database} is being replicated already`)
  }
}
