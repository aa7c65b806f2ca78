/** Seqs from the first to the last, both included. */
export interface SeqSpan {
  readonly firstSeq: number
  readonly lastSeq: number
}

/** The spans in order, with those that touch or overlap made one. */
export function mergeSpans(spans: readonly SeqSpan[]): readonly SeqSpan[] {
  const merged: { firstSeq: number; lastSeq: number }[] = []
  for (const { firstSeq, lastSeq } of spans.toSorted((a, b) => a.firstSeq - b.firstSeq)) {
    const last = merged.at(-1)
    if (last !== undefined && firstSeq <= last.lastSeq + 1) last.lastSeq = Math.max(last.lastSeq, lastSeq)
    else merged.push({ firstSeq, lastSeq })
  }
  return merged
}

/** What of `from` to `to` no span of `merged` covers. */
export function uncovered(merged: readonly SeqSpan[], from: number, to: number): readonly SeqSpan[] {
  const gaps: SeqSpan[] = []
  let next = from
  for (const { firstSeq, lastSeq } of merged) {
    if (firstSeq > to) break
    if (firstSeq > next) gaps.push({ firstSeq: next, lastSeq: firstSeq - 1 })
    next = Math.max(next, lastSeq + 1)
  }
  if (next <= to) gaps.push({ firstSeq: next, lastSeq: to })
  return gaps
}

/** The first span of `merged` that ends at or past the seq; undefined when all end before it. */
export function spanFrom(merged: readonly SeqSpan[], seq: number): SeqSpan | undefined {
  let low = 0
  let high = merged.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (merged[middle]!.lastSeq < seq) low = middle + 1
    else high = middle
  }
  return merged[low]
}
