import { limits, type Value } from '@mynah/core'
import { MessageInvalidError } from '../errors.js'

/** Past so many bits a bigint is written in hexadecimal: decimal digits take time that grows with their square. */
const DECIMAL_BITS = 4_096
const DECIMAL_DIGITS_MAX = 1_300

/**
 * A document as JSON, losslessly:
 *
 *   Date        {"$date":"2026-11-21T01:02:03.004Z"}
 *   Uint8Array  {"$bytes":"<base64>"}
 *   bigint      {"$bigint":"-123"}, a large one {"$bigint":"-0x1f…"}
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
  if (typeof value === 'bigint') return `{"$bigint":"${bigintText(value)}"}`
  if (value instanceof Date) return `{"$date":"${value.toISOString()}"}`
  if (value instanceof Uint8Array) return `{"$bytes":"${base64Of(value)}"}`
  if (isArray(value)) return `[${value.map(documentJson).join(',')}]`
  const members: string[] = []
  for (const [member, held] of Object.entries(value)) {
    if (held === undefined) continue
    members.push(`${JSON.stringify(member.startsWith('$') ? `$${member}` : member)}:${documentJson(held)}`)
  }
  return `{${members.join(',')}}`
}

/** What `documentJson` wrote, or somebody else by the same rules. @throws MessageInvalidError */
export function parseDocumentJson(text: string): Value {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    return fail('it is not JSON', { cause })
  }
  return untagged(parsed, 1)
}

function untagged(value: unknown, depth: number): Value {
  if (typeof value !== 'object' || value === null) return value as Value
  if (depth > limits.depth + 1) return fail(`it is nested deeper than ${limits.depth} levels`)
  if (Array.isArray(value)) return value.map((item) => untagged(item, depth + 1))
  const members = Object.entries(value)
  const [first] = members
  if (members.length === 1 && first![0] in tags) return tags[first![0] as keyof typeof tags](first![1])
  const plain: { [member: string]: Value } = {}
  for (const [member, held] of members) {
    if (member.startsWith('$') && !member.startsWith('$$'))
      return fail(`${JSON.stringify(member)} is no tag: a member that begins with $ gets one more`)
    const name = member.startsWith('$') ? member.slice(1) : member
    // An assignment to __proto__ would set the prototype.
    const own = { value: untagged(held, depth + 1), enumerable: true, configurable: true, writable: true }
    Object.defineProperty(plain, name, own)
  }
  return plain
}

const tags = Object.assign(Object.create(null) as object, {
  $date(value: unknown): Date {
    const date = new Date(typeof value === 'string' ? value : Number.NaN)
    return Number.isNaN(date.getTime()) ? fail('a $date is a time as in ISO 8601') : date
  },
  $bytes(value: unknown): Uint8Array {
    if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
      return fail('$bytes are base64')
    return Uint8Array.from(atob(value), (character) => character.charCodeAt(0))
  },
  $bigint(value: unknown): bigint {
    const [, sign, digits] = /^(-?)([0-9]+|0x[0-9a-f]+)$/.exec(typeof value === 'string' ? value : '') ?? []
    if (digits === undefined)
      return fail('a $bigint is a whole number in decimal, or in hexadecimal after 0x')
    if (!digits.startsWith('0x') && digits.length > DECIMAL_DIGITS_MAX)
      return fail(`a $bigint of more than ${DECIMAL_DIGITS_MAX} digits is written in hexadecimal, after 0x`)
    return sign === '-' ? -BigInt(digits) : BigInt(digits)
  },
})

function bigintText(value: bigint): string {
  if (BigInt.asIntN(DECIMAL_BITS, value) === value) return String(value)
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}

/** In pieces: a call takes some ten thousand arguments at most. */
function base64Of(bytes: Uint8Array): string {
  const PIECE = 8_190
  let text = ''
  for (let start = 0; start < bytes.length; start += PIECE)
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + PIECE)))
  return text
}

/** `Array.isArray` that knows of readonly arrays. */
function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

function fail(detail: string, options?: ErrorOptions): never {
  throw new MessageInvalidError('document', detail, options)
}
