import { type Env, MynahError } from '@mynah/core'
import { decodeRecords, type LogRecord, type MergeOutcome } from '@mynah/core/replica'
import {
  encodePushAnswer,
  headers,
  MessageInvalidError,
  mediaTypes,
  type PushException,
  recordCodes,
  routes,
  wireLimits,
} from '@mynah/replication/protocol'
import type { FastifyPluginAsync } from 'fastify'
import { RequestRefusedError } from '../failures.js'
import { queryFlag } from '../query.js'
import { belowRoot, type DatabaseRequest, type RouteOptions, takeBytes } from './scope.js'

function requireSender(sender: string | readonly string[] | undefined): void {
  if (typeof sender !== 'string' || !/^[0-9a-f]{32}$/.test(sender)) {
    throw new MessageInvalidError('push', `the header ${headers.database} names no database`)
  }
}

async function decodePush(body: unknown, env: Env): Promise<readonly LogRecord[]> {
  if (!(body instanceof Uint8Array)) throw new MessageInvalidError('push', 'a body was expected')
  let records: readonly LogRecord[]
  try {
    records = await decodeRecords(body, env)
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

/** Takes what peers push. The answer says that it is fsynced, so it is sent after the merge and not before. */
export const pushRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, shardGate, budget } = options
  takeBytes(fastify, mediaTypes.shard, wireLimits.requestBytes, budget)
  fastify.post<DatabaseRequest>(belowRoot(routes.records), async (request, reply) => {
    requireSender(request.headers[headers.database])
    const whole = queryFlag(request.query, 'whole')
    const { replica } = await databases.get(request.params.db)
    const { outcomes, before, position } = await shardGate.run(async () =>
      replica.merge(await decodePush(request.body, env), { whole, from: 'peer' }),
    )
    const taken = outcomes.filter(({ result }) => result === 'new' || result === 'supplied').length
    const answer = encodePushAnswer({ position, before, taken, exceptions: exceptionsOf(outcomes) })
    return await reply.type(mediaTypes.message).send(answer)
  })
}
