import type { IdRange } from '@mynah/core/replica'
import { encodeOwed } from '../protocol/messages.js'
import { wireLimits } from '../protocol/names.js'
import {
  type AskedRange,
  decodeAskedRanges,
  encodeToldRanges,
  type ToldRange,
  wirePrint,
} from '../protocol/ranges.js'
import { asOf, bytesOf, messageAnswer } from './body.js'
import { queryTexts } from './query.js'
import type { Answer, RequestParts, ServedReplica } from './served.js'

/** Of a range with so many ids all of them are told. */
const LISTED_IDS = 64
/** Into how many parts a range is cut, where it is asked about with others and alone. */
const PARTS = 16
const PARTS_ALONE = 128
/** Ids of a part at least: with fewer it would be told by its ids. */
const PART_IDS = 16
/** Parts of a range at most where each of them is so small that it would be told by its ids. */
const LAST_PARTS = 32
/** Bytes of texts after which an answer ends, of which one range takes a part at most. */
const TEXT_BYTES = wireLimits.messageBytes / 4
/** Ids that are looked at for one answer, roughly. */
const LOOKED_AT_IDS = 50_000
/** Ids looked at for a sum, and for a part that ends with a page, roughly: of the pages that its ends cut. */
const SUM_IDS = 256
/** Ids that are looked at for one answer about what is owed. */
const OWED_IDS = 50_000

/** What an answer may still cost. */
interface Budget {
  texts: number
  textBytes: number
  ids: number
}

/** What is known of some ranges, in finer parts or id by id: `POST /v1/:db/ranges`. */
export function answerRanges(parts: RequestParts): Answer {
  const asked = decodeAskedRanges(bytesOf(parts, 'question about ranges'))
  return async ({ replica }, env) => {
    const budget: Budget = { texts: wireLimits.rangeTexts, textBytes: TEXT_BYTES, ids: LOOKED_AT_IDS }
    const most = Math.max(PARTS, Math.floor(PARTS_ALONE / asked.length))
    const ranges: ToldRange[] = []
    for (const range of asked) {
      if (ranges.length > 0 && isSpent(budget, most)) break
      ranges.push(await tell(replica, range, most, budget))
      await env.yield()
    }
    const owed = await replica.owedCount()
    return messageAnswer(encodeToldRanges({ ranges, owed }), asOf(replica))
  }
}

function isSpent({ texts, textBytes, ids }: Budget, most: number): boolean {
  return texts < Math.max(most, LISTED_IDS) || textBytes <= 0 || ids <= 0
}

async function tell(
  replica: ServedReplica,
  { from, to, sum: theirs }: AskedRange,
  most: number,
  budget: Budget,
): Promise<ToldRange> {
  const range: IdRange = { gte: from, ...(to !== undefined && { lt: to }) }
  const { count, sum } = await replica.sum(range)
  budget.ids -= SUM_IDS
  if (theirs !== undefined && theirs.count === count && isSame(theirs.print, wirePrint(sum))) {
    return { kind: 'same' }
  }
  if (count <= LISTED_IDS) {
    const prints = await replica.prints(range, LISTED_IDS + 1)
    // More may have come since they were counted.
    if (prints.length <= LISTED_IDS) {
      spend(
        budget,
        prints.map(({ id }) => id),
      )
      return { kind: 'ids', ids: prints.map(({ id, print }) => ({ id, print: wirePrint(print) })) }
    }
  }
  const last = Math.ceil(count / LISTED_IDS)
  const fine = Math.min(most, Math.max(2, Math.ceil(count / PART_IDS)))
  const parts = await replica.parts(range, last <= LAST_PARTS ? Math.max(last, fine) : fine)
  spend(
    budget,
    parts.map((part) => part.from),
  )
  budget.ids -= Math.min(count, parts.length * SUM_IDS)
  return {
    kind: 'parts',
    parts: parts.map((part) => ({ from: part.from, count: part.count, print: wirePrint(part.sum) })),
  }
}

function spend(budget: Budget, texts: readonly string[]): void {
  budget.texts -= texts.length
  budget.ids -= texts.length
  for (const text of texts) budget.textBytes -= 3 * text.length
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

/** A page of the leaves whose bodies are to be held here and are not: `GET /v1/:db/owed`. */
export function answerOwed({ query }: RequestParts): Answer {
  const [after] = queryTexts(query, 'after', 1)
  const page = { limit: wireLimits.owedLeaves, ids: OWED_IDS, ...(after !== undefined && { after }) }
  return async ({ replica }) => messageAnswer(encodeOwed(await replica.owed(page)), asOf(replica))
}
