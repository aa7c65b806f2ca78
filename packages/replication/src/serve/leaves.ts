import { encodeRecords, type LogRecord } from '@mynah/core/replica'
import { decodeFetch, decodeLeaves, encodeHeld, encodeMissing, type FetchItem } from '../protocol/messages.js'
import { wireLimits } from '../protocol/names.js'
import { recordBytes } from '../protocol/record-bytes.js'
import { asOf, bytesOf, messageAnswer, shardAnswer } from './body.js'
import { queryBytes, queryFlag } from './query.js'
import type { Answer, RequestParts, ServedReplica } from './served.js'

/** Which of some leaves should be sent: `POST /v1/:db/records/missing`. */
export function answerMissing(parts: RequestParts): Answer {
  const leaves = decodeLeaves(bytesOf(parts, 'question for missing leaves'))
  return async ({ replica }) => messageAnswer(encodeMissing(await replica.missing(leaves)))
}

/** Which of some leaves are held here, for one who is about to drop them: `POST /v1/:db/records/held`. */
export function answerHeld(parts: RequestParts): Answer {
  const leaves = decodeLeaves(bytesOf(parts, 'question for held leaves'), wireLimits.heldLeaves)
  return async ({ replica }) => messageAnswer(encodeHeld(await replica.held(leaves)))
}

/** What is in some leaves, or of what leaves documents are, as far as it fits: `POST /v1/:db/records/fetch`. */
export function answerFetch(parts: RequestParts): Answer {
  const items = decodeFetch(bytesOf(parts, 'fetch'))
  const { pageBytesMax } = wireLimits
  const options = {
    whole: queryFlag(parts.query, 'whole'),
    stubs: queryFlag(parts.query, 'stubs'),
    bytes: queryBytes(parts.query, 'bytes', pageBytesMax, pageBytesMax),
  }
  return async ({ replica }, env) => {
    const records = await gather(replica, items, options)
    return shardAnswer(records.length === 0 ? undefined : await encodeRecords(records, env), asOf(replica))
  }
}

interface GatherOptions {
  readonly whole: boolean
  /** Documents without their bodies. */
  readonly stubs: boolean
  /** Raw bytes after which the answer ends. */
  readonly bytes: number
}

/** What is asked for, as far as it is here, in order, until a page is full; one of what is asked for at least. */
async function gather(
  replica: ServedReplica,
  items: readonly FetchItem[],
  { whole, stubs, bytes: bytesMax }: GatherOptions,
): Promise<LogRecord[]> {
  const gathered: LogRecord[] = []
  let bytes = 0
  // One by one: a thousand bodies of the largest size would not fit into memory.
  for (const item of items) {
    const records =
      'rev' in item ? await replica.bodies([item], { whole }) : await documentLeaves(replica, item.id, stubs)
    for (const record of records) bytes += recordBytes(record)
    if (bytes > bytesMax && gathered.length > 0) return gathered
    gathered.push(...records)
  }
  return gathered
}

/** All leaves of a document; past a page's bytes as stubs, as a document that lacks leaves would be another one. */
async function documentLeaves(replica: ServedReplica, id: string, stubs: boolean): Promise<LogRecord[]> {
  let bytes = 0
  return (await replica.leaves(id)).map((record, index) => {
    bytes += recordBytes(record)
    if (!stubs && (bytes <= wireLimits.pageBytesMax || index === 0)) return record
    const { body, ...rest } = record
    return { ...rest, kind: 'stub' }
  })
}
