import { encodeRecords, type LogRecord, type Replica } from '@mynah/core/replica'
import {
  decodeFetch,
  decodeLeaves,
  encodeMissing,
  type FetchItem,
  MessageInvalidError,
  mediaTypes,
  routes,
  wireLimits,
} from '@mynah/replication/protocol'
import type { FastifyPluginAsync } from 'fastify'
import { refuseOtherMethods } from '../failures.js'
import { queryFlag } from '../query.js'
import { recordBytes } from '../record-bytes.js'
import { belowRoot, type DatabaseRequest, type RouteOptions, takeBytes } from './scope.js'

function bytesOf(body: unknown, what: string): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new MessageInvalidError(what, 'a body was expected')
  return body
}

/** All leaves of a document; past a page's bytes as stubs, as a document that lacks leaves would be another one. */
async function documentLeaves(replica: Replica, id: string): Promise<LogRecord[]> {
  let bytes = 0
  return (await replica.leaves(id)).map((record, index) => {
    bytes += recordBytes(record)
    if (bytes <= wireLimits.pageBytesMax || index === 0) return record
    const { body, ...rest } = record
    return { ...rest, kind: 'stub' }
  })
}

/** What is asked for, as far as it is here, in order, until a page is full; one of what is asked for at least. */
async function gather(replica: Replica, items: readonly FetchItem[], whole: boolean): Promise<LogRecord[]> {
  const gathered: LogRecord[] = []
  let bytes = 0
  // One by one: a thousand bodies of the largest size would not fit into memory.
  for (const item of items) {
    const records =
      'rev' in item ? await replica.bodies([item], { whole }) : await documentLeaves(replica, item.id)
    for (const record of records) bytes += recordBytes(record)
    if (bytes > wireLimits.pageBytesMax && gathered.length > 0) return gathered
    gathered.push(...records)
  }
  return gathered
}

/** Questions about leaves by name: which should be sent, and what is in them. */
export const leafRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, shardGate, budget } = options
  takeBytes(fastify, mediaTypes.message, wireLimits.messageBytes, budget)

  const missing = belowRoot(routes.missing)
  fastify.post<DatabaseRequest>(missing, async (request, reply) => {
    const leaves = decodeLeaves(bytesOf(request.body, 'question for missing leaves'))
    const { replica } = await databases.get(request.params.db)
    return await reply.type(mediaTypes.message).send(encodeMissing(await replica.missing(leaves)))
  })
  refuseOtherMethods(fastify, missing, ['POST'])

  const fetch = belowRoot(routes.fetch)
  fastify.post<DatabaseRequest>(fetch, async (request, reply) => {
    const items = decodeFetch(bytesOf(request.body, 'fetch'))
    const whole = queryFlag(request.query, 'whole')
    const { replica } = await databases.get(request.params.db)
    const shard = await shardGate.run(async () => {
      const records = await gather(replica, items, whole)
      return records.length === 0 ? undefined : await encodeRecords(records, env)
    })
    if (shard === undefined) return await reply.code(204).send()
    budget.hold(shard.length, reply.raw)
    return await reply.type(mediaTypes.shard).send(shard)
  })
  refuseOtherMethods(fastify, fetch, ['POST'])
}
