import type { Value } from '@mynah/core'
import type { LogRecord } from '@mynah/core/replica'

/** What a record takes in a shard before compression, roughly, in bytes: to keep a page within its budget. */
export function recordBytes(record: LogRecord): number {
  const named = record.id.length + record.rev.length + record.path.length * 40 + 64
  return record.body === undefined ? named : named + valueBytes(record.body)
}

function valueBytes(value: Value | undefined): number {
  if (typeof value === 'string') return value.length + 4
  if (value instanceof Uint8Array) return value.length + 4
  if (typeof value === 'bigint') return value.toString(16).length / 2 + 4
  if (typeof value !== 'object' || value === null || value instanceof Date) return 9
  let bytes = 4
  for (const [member, held] of Object.entries(value)) bytes += member.length + valueBytes(held)
  return bytes
}
