import { limits, type Value } from '@mynah/core'
import { MessageInvalidError } from '../errors.js'

/** Past so many bits a bigint is written in hexadecimal: decimal digits take time that grows with their square. */
const DECIMAL_BITS = 4_096
const DECIMAL_DIGITS_MAX = 1_300
/** However deep a text of so many characters is, it is parsed at once. */
const SHALLOW_CHARACTERS = 10_000
/** Printable ASCII but `"` and `\\`. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
const ownMember = { enumerable: true, configurable: true, writable: true }
const TOO_DEEP = `it is nested deeper than ${limits.depth} levels`

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
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return JSON.stringify(value)
  if (typeof value === 'bigint') return `{"$bigint":"${bigintText(value)}"}`
  if (value instanceof Date) return `{"$date":"${value.toISOString()}"}`
  if (value instanceof Uint8Array) return `{"$bytes":"${base64Of(value)}"}`
  if (isArray(value)) return `[${value.map(documentJson).join(',')}]`
  let text = ''
  for (const member of Object.keys(value)) {
    const held = value[member]
    if (held === undefined) continue
    const name = quoted(member.startsWith('$') ? `$${member}` : member)
    text += `${text === '' ? '' : ','}${name}:${documentJson(held)}`
  }
  return `{${text}}`
}

/** A short text as most are needs no escapes, and to see that takes less than to write it as JSON: reads are mostly this. */
function quoted(text: string): string {
  return text.length < 64 && PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** What `documentJson` wrote, or somebody else by the same rules. @throws MessageInvalidError */
export function parseDocumentJson(text: string): Value {
  if (text.length > SHALLOW_CHARACTERS && isDeeperThan(limits.depth + 1, text)) return fail(TOO_DEEP)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    return fail('it is not JSON', { cause })
  }
  return untagged(parsed, 1)
}

/** Looked at before it is parsed: V8 takes seconds for some megabytes of brackets, and nothing else runs meanwhile. */
function isDeeperThan(most: number, text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at)
        break
      case 0x5b:
      case 0x7b:
        depth += 1
        if (depth > most) return true
        break
      case 0x5d:
      case 0x7d:
        depth -= 1
    }
  }
  return false
}

/** Where the string ends that begins at a quote; past the text where it does not. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x5c) at += 1
    else if (code === 0x22) break
  }
  return at
}

function untagged(value: unknown, depth: number): Value {
  if (typeof value !== 'object' || value === null) return value as Value
  if (depth > limits.depth + 1) return fail(TOO_DEEP)
  if (Array.isArray(value)) return value.map((item) => untagged(item, depth + 1))
  const given = value as Readonly<Record<string, unknown>>
  const members = Object.keys(given)
  const first = members[0]!
  if (members.length === 1 && first in tags) return tags[first as keyof typeof tags](given[first])
  const plain: { [member: string]: Value } = {}
  for (const member of members) {
    if (member.startsWith('$') && !member.startsWith('$$'))
      return fail(`${JSON.stringify(member)} is no tag: a member that begins with $ gets one more`)
    const name = member.startsWith('$') ? member.slice(1) : member
    const own = untagged(given[member], depth + 1)
    // An assignment would set the prototype; and of each member a definition would take seconds, where there are many.
    if (name === '__proto__') Object.defineProperty(plain, name, { value: own, ...ownMember })
    else plain[name] = own
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
