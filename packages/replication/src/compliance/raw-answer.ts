import type { LogRecord } from '@mynah/core/replica'
import { crc32, utf8 } from './byte-list.js'
import { holds, same } from './check.js'
import { type Packed, unpack } from './msgpack.js'

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

export interface PushTold {
  readonly position: string
  readonly before: number
  readonly taken: number
  readonly exceptions: readonly (readonly [index: number, code: string, reason: string])[]
}

export interface PageTold {
  readonly records: readonly LogRecord[]
  readonly position: string
  readonly more: boolean
  /** Where it is past the position. */
  readonly newest?: string
  /** Of a page of a part of the ids that is not the last one. */
  readonly after?: string
}

export function refused(answer: RawAnswer, status: number, code: string, what: string): void {
  if (answer.status === status && jsonOf(answer).code === code) return
  throw new Error(`${what}: expected ${status} ${code}, found ${told(answer)}`)
}

export function pushTold(answer: RawAnswer): PushTold {
  holds(answer.status === 200, `push: expected 200, found ${told(answer)}`)
  const message = unpack(answer.body)
  const position = textOf(memberOf(message, 'position'), 'position')
  const [before, taken] = ['before', 'taken'].map((name) => memberOf(message, name))
  holds(typeof before === 'number' && typeof taken === 'number', 'before and taken are counts')
  const exceptions = memberOf(message, 'exceptions')
  holds(Array.isArray(exceptions), 'exceptions is an array')
  return { position, before, taken, exceptions }
}

export function memberOf(message: Packed, name: string): Packed {
  holds(typeof message === 'object' && !Array.isArray(message), `the message has no member ${name}`)
  const member = (message as { readonly [name: string]: Packed })[name]
  holds(member !== undefined, `the message has no member ${name}`)
  return member
}

/** What `mynah-position` says. */
export function positionOf({ headers }: Pick<RawAnswer, 'headers'>): string {
  return textOf(headers.get('mynah-position'), 'mynah-position')
}

export function seqOf(position: string): number {
  return Number(position.slice(position.indexOf('.') + 1))
}

export function jsonOf({ body }: RawAnswer): Readonly<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
}

export function textOf(value: unknown, what: string): string {
  const isPosition = typeof value === 'string' && /^[0-9a-f]{32}\.(0|[1-9][0-9]{0,15})$/.test(value)
  holds(isPosition, `${what} is no position: ${String(value)}`)
  return value
}

export function told({ status, body }: RawAnswer): string {
  return status < 300 ? String(status) : `${status} ${new TextDecoder().decode(body)}`
}

export function digits(text: Uint8Array, body: Uint8Array = new Uint8Array(0)): string {
  return crc32(text, body).toString(16).padStart(8, '0')
}

export function checkAnswer({ headers, body }: RawAnswer, asked: string, what: string): void {
  const meant = ['mynah-position', 'mynah-more'].map((name) => headers.get(name) ?? '')
  const after = headers.get('mynah-after')
  const newest = headers.get('mynah-newest')
  const optional = [...(after === null ? [] : [after]), ...(newest === null ? [] : [`newest ${newest}`])]
  const lines = [asked, ...meant, ...optional]
  const expected = digits(utf8(`${lines.join('\n')}\n`), body)
  same(headers.get('mynah-checksum'), expected, `${what}: the answer's mynah-checksum`)
  holds(headers.get('cache-control')?.includes('no-store') === true, `${what}: an answer is not to be kept`)
}

export function checkError(answer: RawAnswer, what: string): void {
  const { status, headers } = answer
  holds(status >= 400, `${what}: ${status} is no answer of a mirror`)
  const type = headers.get('content-type') ?? ''
  holds(type.split(';', 1)[0] === 'application/json', `${what}: an error is JSON, and this is ${type}`)
  const { code, message } = jsonOf(answer)
  holds(typeof code === 'string' && /^MYNAH_[A-Z_]+$/.test(code), `${what}: no code in the error`)
  holds(typeof message === 'string' && message.length <= 1_000, `${what}: no message in the error`)
}
