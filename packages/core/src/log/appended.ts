import { valueBytes } from '../codec/value-size.js'
import { encodeBlock } from './block.js'
import type { LogRecord } from './record.js'

/** What shards and the backlog are measured in: the records as they came, whatever their blocks make of them. */
export function recordsBytes(records: readonly LogRecord[]): number {
  let bytes = 0
  for (const { id, path, body } of records)
    bytes += 40 + id.length + 40 * path.length + valueBytes(body ?? null)
  return bytes
}

/** The records as one group's payload, from a seq on. */
export function encodeGroupOf(
  records: readonly LogRecord[],
  firstSeq: number,
): { readonly count: number; readonly payload: Uint8Array } {
  const sequenced = records.map((record, index) => ({ seq: firstSeq + index, record }))
  return { count: records.length, payload: encodeBlock(sequenced, firstSeq) }
}
