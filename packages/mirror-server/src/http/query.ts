import { MessageInvalidError } from '@mynah/replication/protocol'
import type { Query } from '@mynah/replication/serve'

/** A parameter that comes once at most. @throws MessageInvalidError */
export function textOf(query: Query, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'string') return value
  throw new MessageInvalidError('query', `more than one ${name}`)
}

/** `true` or `1`, `false` or `0`; absent is false. @throws MessageInvalidError */
export function flagOf(query: Query, name: string): boolean {
  const text = textOf(query, name) ?? 'false'
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new MessageInvalidError('query', `${name} is true or false`)
}

/** A whole number from 1; more than `most` counts as that. @throws MessageInvalidError */
export function numberOf(query: Query, name: string, most: number): number | undefined {
  const text = textOf(query, name)
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new MessageInvalidError('query', `${name} is a number from 1`)
  return Math.min(Number(text), most)
}
