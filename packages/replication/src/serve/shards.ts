import { CursorLostError } from '@mynah/core'
import { headers, mediaTypes, wireLimits } from '../protocol/names.js'
import { positionText } from '../protocol/position.js'
import { encodeShards } from '../protocol/shards.js'
import { plain } from './body.js'
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
