import { CursorLostError, MynahError } from '@mynah/core'
import { acceptId, encodeRecords, type FeedOptions, type Position } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { headers, wireLimits } from '../protocol/names.js'
import { positionText } from '../protocol/position.js'
import type { Query } from '../protocol/query.js'
import { shardAnswer } from './body.js'
import { queryBytes, queryFlag, queryPosition, queryTexts } from './query.js'
import type { Answer, RequestParts } from './served.js'

/** A page of the feed: `GET /v1/:db/records`. The answer rejects with `CursorLostError` for a position of another history. */
export function answerPull({ query }: RequestParts): Answer {
  const since = queryPosition(query, 'since')
  const walk = walkOf(query, since)
  const prefixes = queryTexts(query, 'prefix', wireLimits.prefixes)
  const without = queryTexts(query, 'without', wireLimits.prefixes)
  const options: FeedOptions = {
    since: since?.seq ?? 0,
    bodies: queryFlag(query, 'bodies'),
    whole: queryFlag(query, 'whole'),
    bytes: queryBytes(query, 'bytes', wireLimits.pageBytes, wireLimits.pageBytesMax),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(without.length === 0 ? {} : { without }),
    ...(walk === undefined ? {} : { resume: { until: walk.until.seq, after: walk.after } }),
  }
  return async ({ replica }, env) => {
    for (const position of [since, walk?.until])
      if (position !== undefined && !replica.holds(position))
        throw new CursorLostError(positionText(position))
    const page = await replica.feed(options)
    const [covered, newest] = [page.position, replica.position()].map(positionText)
    const shard = page.records.length === 0 ? undefined : await encodeRecords(page.records, env)
    return shardAnswer(shard, {
      [headers.position]: covered!,
      [headers.more]: page.more ? '1' : '0',
      ...(page.after === undefined ? {} : { [headers.after]: encodeURIComponent(page.after) }),
      ...(newest === covered ? {} : { [headers.newest]: newest! }),
    })
  }
}

/** Where a feed of a part goes on. */
function walkOf(
  query: Query,
  since: Position | undefined,
): { readonly until: Position; readonly after: string } | undefined {
  const until = queryPosition(query, 'until')
  const [after] = queryTexts(query, 'after', 1)
  if (until === undefined && after === undefined) return undefined
  if (until === undefined || after === undefined)
    throw new MessageInvalidError('query', 'until and after come together')
  if (until.seq <= (since?.seq ?? 0)) throw new MessageInvalidError('query', 'until is not past since')
  try {
    return { until, after: acceptId(after) }
  } catch (cause) {
    if (cause instanceof MynahError) throw new MessageInvalidError('query', 'after is no id', { cause })
    throw cause
  }
}
