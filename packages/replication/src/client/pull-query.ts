import type { Checkpoint, LogRecord, Position } from '@mynah/core/replica'
import { headers as names } from '../protocol/names.js'
import { parsePosition, positionText } from '../protocol/position.js'

/** What a pull asks for. */
export interface PullQuery {
  /** Exclusive; from the start without. */
  readonly since?: Position
  readonly bodies: boolean
  readonly whole?: boolean
  readonly prefixes?: readonly string[]
  readonly without?: readonly string[]
  /** Where a feed of a part of the ids goes on. */
  readonly walk?: Checkpoint['walk']
}

/** A page of a mirror's feed. */
export interface PulledPage {
  readonly records: readonly LogRecord[]
  readonly position: Position
  readonly more: boolean
  /** Nothing of the page was told of a later place: it may tell of changes past what it covers. */
  readonly newest: Position
  /** Of a feed of a part of the ids that goes on: the last id so far. */
  readonly after?: string
}

/** The parameters of a pull, of pages of about so many raw bytes; as many as the mirror gives, without. */
export function pullParameters(asked: PullQuery, pageBytes: number | undefined): URLSearchParams {
  const query = new URLSearchParams({ bodies: asked.bodies ? '1' : '0' })
  if (asked.since !== undefined) query.set('since', positionText(asked.since))
  if (asked.whole === true) query.set('whole', '1')
  for (const prefix of asked.prefixes ?? []) query.append('prefix', prefix)
  for (const prefix of asked.without ?? []) query.append('without', prefix)
  if (asked.walk !== undefined) {
    query.set('until', positionText(asked.walk.until))
    query.set('after', asked.walk.after)
  }
  if (pageBytes !== undefined) query.set('bytes', String(pageBytes))
  return query
}

/** The place past which the page tells nothing; undefined where what the mirror says is none. */
export function newestOf(headers: Readonly<Record<string, string>>, covered: Position): Position | undefined {
  const text = headers[names.newest]
  if (text === undefined) return covered
  const newest = parsePosition(text)
  return newest !== undefined && newest.seq >= covered.seq ? newest : undefined
}
