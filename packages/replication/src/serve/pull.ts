import { CursorLostError } from '@mynah/core'
import { encodeRecords } from '@mynah/core/replica'
import { headers, wireLimits } from '../protocol/names.js'
import { positionText } from '../protocol/position.js'
import { shardAnswer } from './body.js'
import { queryBytes, queryFlag, queryPosition, queryTexts } from './query.js'
import type { Answer, RequestParts } from './served.js'

/** A page of the feed: `GET /v1/:db/records`. The answer rejects with `CursorLostError` for a position of another history. */
export function answerPull({ query }: RequestParts): Answer {
  const since = queryPosition(query, 'since')
  const prefixes = queryTexts(query, 'prefix', wireLimits.prefixes)
  const options = {
    since: since?.seq ?? 0,
    bodies: queryFlag(query, 'bodies'),
    whole: queryFlag(query, 'whole'),
    bytes: queryBytes(query, 'bytes', wireLimits.pageBytes, wireLimits.pageBytesMax),
    ...(prefixes.length === 0 ? {} : { prefixes }),
  }
  return async ({ replica }, env) => {
    if (since !== undefined && !replica.holds(since)) throw new CursorLostError(positionText(since))
    const page = await replica.feed(options)
    const shard = page.records.length === 0 ? undefined : await encodeRecords(page.records, env)
    return shardAnswer(shard, {
      [headers.position]: positionText(page.position),
      [headers.more]: page.more ? '1' : '0',
    })
  }
}
