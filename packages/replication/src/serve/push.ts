import { type Env, MynahError } from '@mynah/core'
import { decodeRecords, type LogRecord, type MergeOutcome } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { encodePushAnswer, type PushException } from '../protocol/messages.js'
import { headers, recordCodes, wireLimits } from '../protocol/names.js'
import { bytesOf, messageAnswer } from './body.js'
import { RequestRefusedError } from './failures.js'
import { queryFlag } from './query.js'
import type { Answer, RequestParts } from './served.js'

/**
 * Takes what a peer pushes: `POST /v1/:db/records`. The answer says that it is fsynced, so it is made after the merge
 * and not before.
 */
export function answerPush(parts: RequestParts): Answer {
  requireSender(parts.headers[headers.database])
  const whole = queryFlag(parts.query, 'whole')
  const bytes = bytesOf(parts, 'push')
  return async ({ replica }, env) => {
    const records = await decodePush(bytes, env)
    const { outcomes, before, position } = await replica.merge(records, { whole, from: 'peer' })
    const taken = outcomes.filter(({ result }) => result === 'new' || result === 'supplied').length
    return messageAnswer(encodePushAnswer({ position, before, taken, exceptions: exceptionsOf(outcomes) }))
  }
}

export function requireSender(sender: string | readonly string[] | undefined): void {
  if (typeof sender !== 'string' || !/^[0-9a-f]{32}$/.test(sender)) {
    throw new MessageInvalidError('push', `the header ${headers.database} names no database`)
  }
}

async function decodePush(bytes: Uint8Array, env: Env): Promise<readonly LogRecord[]> {
  let records: readonly LogRecord[]
  try {
    records = await decodeRecords(bytes, env)
  } catch (cause) {
    // Here a shard that does not decode is the sender's, whatever it would be on disk.
    if (cause instanceof MynahError) throw new MessageInvalidError('push', cause.message, { cause })
    throw cause
  }
  if (records.length > wireLimits.batchRecords) {
    const detail = `${records.length} records are more than ${wireLimits.batchRecords}`
    throw new RequestRefusedError('MYNAH_REQUEST_TOO_LARGE', detail)
  }
  return records
}

function exceptionsOf(outcomes: readonly MergeOutcome[]): readonly PushException[] {
  return outcomes.flatMap((outcome, index) => {
    if (outcome.result === 'refused') {
      return [{ index, code: outcome.error.code, reason: outcome.error.message }]
    }
    return outcome.result === 'detached' ? [{ index, code: recordCodes.detached, reason: '' }] : []
  })
}
