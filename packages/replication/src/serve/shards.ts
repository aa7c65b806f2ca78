import { CursorLostError, FormatUnknownError, ShardCorruptError } from '@mynah/core'
import { type Position, shardSize, type TakeReport } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { headers, mediaTypes, wireLimits } from '../protocol/names.js'
import { positionText } from '../protocol/position.js'
import { decodeShards, encodeShards, encodeShardsAnswer } from '../protocol/shards.js'
import { bytesOf, messageAnswer, plain } from './body.js'
import { RequestRefusedError } from './failures.js'
import { requireSender } from './push.js'
import { queryBytes, queryPosition } from './query.js'
import type { Answer, RequestParts } from './served.js'

/**
 * What is sealed, as it lies: `GET /v1/:db/shards`. Nothing is decoded for it. The answer rejects with `CursorLostError`
 * for a position of another history.
 */
export function answerShards({ query }: RequestParts): Answer {
  const after = queryPosition(query, 'after')
  const bytes = queryBytes(query, 'bytes', wireLimits.copyBytes, wireLimits.copyBytes)
  return async ({ replica }) => {
    if (after !== undefined && !replica.holds(after)) throw new CursorLostError(positionText(after))
    const page = await replica.shards({ after: after?.seq ?? 0, bytes, records: wireLimits.copyRecords })
    const meant = {
      [headers.position]: positionText(page.position),
      [headers.more]: page.more ? '1' : '0',
    }
    if (page.shards.length === 0 && !page.lost) return plain(204, meant, new Uint8Array(0))
    return plain(200, { ...meant, 'content-type': mediaTypes.shards }, encodeShards(page))
  }
}

const PUSH = 'push of shards'

/**
 * Takes what a peer pushes as it lies: `POST /v1/:db/shards`. The answer says that it is fsynced. Who reaches a part of
 * the ids only pushes records.
 */
export function answerPushedShards(parts: RequestParts): Answer {
  requireSender(parts.headers[headers.database])
  const { shards, lost } = decodeShards(bytesOf(parts, PUSH), PUSH)
  if (lost) throw new MessageInvalidError(PUSH, 'nothing of it may be lost')
  return async ({ replica }) => {
    const report = await malformed(async () => {
      requireBounds(shards)
      return await replica.takeShards(shards, { from: 'peer' })
    })
    const { taken, left } = report
    return messageAnswer(encodeShardsAnswer({ ...placeOf(report, replica.position()), taken, left }))
  }
}

/** Before anything is decoded, which is where they grow. */
function requireBounds(shards: readonly Uint8Array[]): void {
  let records = 0
  let rawBytes = 0
  for (const shard of shards) {
    const size = shardSize(shard)
    records += size.records
    rawBytes += size.rawBytes
  }
  if (records <= wireLimits.copyRecords && rawBytes <= wireLimits.pushedRawBytes) return
  const detail = `${records} records and ${rawBytes} bytes, decoded, are more than is taken at once`
  throw new RequestRefusedError('MYNAH_REQUEST_TOO_LARGE', detail)
}

/** Here a shard that does not decode is the sender's, whatever it would be on disk. */
async function malformed<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof ShardCorruptError || cause instanceof FormatUnknownError)
      throw new MessageInvalidError(PUSH, cause.message, { cause })
    throw cause
  }
}

/** Where all of it stands. Where others wrote in between, no place says that nothing else came. */
function placeOf(
  { commits }: TakeReport,
  now: Position,
): { readonly before: number; readonly position: Position } {
  const position = commits.at(-1)?.position ?? now
  const follows = commits.every(({ before }, at) => at === 0 || before === commits[at - 1]!.position.seq)
  return { position, before: follows ? (commits[0]?.before ?? position.seq) : position.seq }
}
