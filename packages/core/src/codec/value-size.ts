/**
 * About how many bytes a value takes before any compression: what budgets, shards and pages are measured in.
 * Cheap, and near the value's length as JSON.
 */
export function valueBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? bigintBytes(value) : 8
  if (value instanceof Uint8Array) return value.length
  if (value instanceof Date) return 8
  let bytes = 2
  if (Array.isArray(value)) {
    for (const item of value) bytes += 1 + valueBytes(item)
    return bytes
  }
  for (const member of Object.keys(value))
    bytes += member.length + 4 + valueBytes((value as Record<string, unknown>)[member])
  return bytes
}

function bigintBytes(value: bigint): number {
  return value.toString(16).length >> 1
}
