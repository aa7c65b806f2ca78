import type { IdRange } from '@mynah/core/replica'
import { encodeOwed } from '../protocol/messages.js'
import { wireLimits } from '../protocol/names.js'
import {
  type AskedRange,
  decodeAskedRanges,
  encodeToldRanges,
  isSamePrint,
  type ToldRange,
  wirePrint,
} from '../protocol/ranges.js'
import { asOf, bytesOf, messageAnswer } from './body.js'
import { queryTexts } from './query.js'
import type { Answer, RequestParts, ServedReplica } from './served.js'

/** How a range is told. */
interface Cuts {
  /** Of a range with so many ids all of them are told. */
  readonly listed: number
  /** Ids of a part at least: with fewer it would be told by its ids. */
  readonly least: number
  /** Parts at most. */
  readonly most: number
  /** Parts at most where each of them is so small that it would be told by its ids. */
  readonly last: number
}

/** Few round trips, where few ranges are asked about: so few that one alone is cut in more parts. */
const FEW: Cuts = { listed: 64, least: 16, most: 16, last: 32 }
const PARTS_ALONE = 128
/** Few bytes, where so many are that the next questions about them share round trips anyway. */
const MANY: Cuts = { listed: 16, least: 4, most: 16, last: 16 }
const MANY_RANGES = 64
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
    const cuts = cutsOf(asked.length)
    const ranges: ToldRange[] = []
    for (const range of asked) {
      if (ranges.length > 0 && isSpent(budget, cuts)) break
      ranges.push(await tell(replica, range, cuts, budget))
      await env.yield()
    }
    const owed = await replica.owedCount()
    return messageAnswer(encodeToldRanges({ ranges, owed }), asOf(replica))
  }
}

function cutsOf(ranges: number): Cuts {
  if (ranges >= MANY_RANGES) return MANY
  return { ...FEW, most: Math.max(FEW.most, Math.floor(PARTS_ALONE / ranges)) }
}

function isSpent({ texts, textBytes, ids }: Budget, { most, last, listed }: Cuts): boolean {
  return texts < Math.max(most, last, listed) || textBytes <= 0 || ids <= 0
}

async function tell(
  replica: ServedReplica,
  { from, to, sum: theirs }: AskedRange,
  cuts: Cuts,
  budget: Budget,
): Promise<ToldRange> {
  const range: IdRange = { gte: from, ...(to !== undefined && { lt: to }) }
  if (theirs !== undefined) {
    const { count, sum } = await replica.sum(range)
    budget.ids -= SUM_IDS
    if (theirs.count === count && isSamePrint(theirs.print, wirePrint(sum))) return { kind: 'same' }
  }
  const prints = await replica.prints(range, cuts.listed + 1)
  budget.ids -= prints.length
  if (prints.length <= cuts.listed) {
    spend(
      budget,
      prints.map(({ id }) => id),
    )
    return { kind: 'ids', ids: prints.map(({ id, print }) => ({ id, print: wirePrint(print) })) }
  }
  const parts = await replica.parts(range, (ids) => partsOf(ids, cuts))
  spend(
    budget,
    parts.map((part) => part.from),
  )
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  budget.ids -= Math.min(count, parts.length * SUM_IDS)
  return {
    kind: 'parts',
    parts: parts.map((part) => ({ from: part.from, count: part.count, print: wirePrint(part.sum) })),
  }
}

function partsOf(ids: number, { listed, least, most, last }: Cuts): number {
  const fine = Math.min(most, Math.max(2, Math.ceil(ids / least)))
  const listable = Math.ceil(ids / listed)
  return listable <= last ? Math.max(listable, fine) : fine
}

function spend(budget: Budget, texts: readonly string[]): void {
  budget.texts -= texts.length
  for (const text of texts) budget.textBytes -= 3 * text.length
}

/** A page of the leaves whose bodies are to be held here and are not: `GET /v1/:db/owed`. */
export function answerOwed({ query }: RequestParts): Answer {
  const [after] = queryTexts(query, 'after', 1)
  const page = { limit: wireLimits.owedLeaves, ids: OWED_IDS, ...(after !== undefined && { after }) }
  return async ({ replica }) => messageAnswer(encodeOwed(await replica.owed(page)), asOf(replica))
}
