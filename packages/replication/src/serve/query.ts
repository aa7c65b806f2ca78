import type { Position } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { parsePosition } from '../protocol/position.js'
import type { Query } from '../protocol/query.js'

/** All values of a name, in order. */
export function queryTexts(query: Query, name: string, most: number): readonly string[] {
  const value = query[name]
  const values = value === undefined ? [] : typeof value === 'string' ? [value] : value
  if (values.length > most) throw new MessageInvalidError('query', `more than ${most} of ${name}`)
  return values
}

function queryText(query: Query, name: string): string | undefined {
  return queryTexts(query, name, 1)[0]
}

/** `1` or `0`; absent is 0. */
export function queryFlag(query: Query, name: string): boolean {
  const text = queryText(query, name) ?? '0'
  if (text !== '0' && text !== '1') throw new MessageInvalidError('query', `${name} is 0 or 1`)
  return text === '1'
}

/** A whole number from 1, at most `most`: more is asked for in vain. */
export function queryBytes(query: Query, name: string, absent: number, most: number): number {
  const text = queryText(query, name)
  if (text === undefined) return absent
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new MessageInvalidError('query', `${name} is a number from 1`)
  return Math.min(Number(text), most)
}

/** A position in a query; undefined where there is none. @throws MessageInvalidError */
export function queryPosition(query: Query, name: string): Position | undefined {
  const text = queryText(query, name)
  return text === undefined ? undefined : positionOf(text, name)
}

/** Positions, separated by commas. */
export function queryPositions(query: Query, name: string, most: number): readonly Position[] | undefined {
  const text = queryText(query, name)
  if (text === undefined) return undefined
  const texts = text.split(',', most + 1)
  if (texts.length > most) throw new MessageInvalidError('query', `more than ${most} of ${name}`)
  return texts.map((one) => positionOf(one, name))
}

function positionOf(text: string, name: string): Position {
  const position = parsePosition(text)
  if (position === undefined) throw new MessageInvalidError('query', `${name} is no position`)
  return position
}
