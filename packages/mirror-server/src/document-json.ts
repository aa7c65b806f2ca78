import type { Value } from '@mynah/core'

/**
 * A document as JSON, losslessly:
 *
 *   Date        {"$date":"2026-11-21T01:02:03.004Z"}
 *   Uint8Array  {"$bytes":"<base64>"}
 *   bigint      {"$bigint":"-123"}
 *   a member that begins with `$` gets one more, at any depth
 *
 * Text is written straight, rather than by way of objects, so that a member called `__proto__` is one like any other.
 */
export function documentJson(value: Value): string {
  if (
    value === null ||
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'string'
  ) {
    return JSON.stringify(value)
  }
  if (typeof value === 'bigint') return `{"$bigint":"${value}"}`
  if (value instanceof Date) return `{"$date":"${value.toISOString()}"}`
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return `{"$bytes":"${bytes.toString('base64')}"}`
  }
  if (isArray(value)) return `[${value.map(documentJson).join(',')}]`
  const members: string[] = []
  for (const [member, held] of Object.entries(value)) {
    if (held === undefined) continue
    members.push(`${JSON.stringify(member.startsWith('$') ? `$${member}` : member)}:${documentJson(held)}`)
  }
  return `{${members.join(',')}}`
}

/** `Array.isArray` that knows of readonly arrays. */
function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}
