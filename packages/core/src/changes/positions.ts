import type { Incarnation } from '../log/manifest.js'

/** A place in a database's history: its seq counts only for those whose history has the incarnation. */
export interface Position {
  /** The incarnation (an open that wrote) in which `seq` was reached: 32 lower-case hex digits. */
  readonly incarnation: string
  /** The last seq that is covered; 0 for nothing. */
  readonly seq: number
}

const NOWHERE = '0'.repeat(32)

/** The position of a seq; one before all remembered incarnations is called by the oldest. */
export function positionAt(incarnations: readonly Incarnation[], seq: number): Position {
  if (seq === 0) return { incarnation: NOWHERE, seq: 0 }
  const incarnation = incarnations.findLast(({ firstSeq }) => firstSeq <= seq) ?? incarnations[0]
  return { incarnation: incarnation?.id ?? NOWHERE, seq }
}

/** Whether the history contains the position: the incarnation is known and the seq not past its end. */
export function holdsPosition(
  incarnations: readonly Incarnation[],
  synced: number,
  position: Position,
): boolean {
  if (position.seq === 0) return true
  const index = incarnations.findIndex(({ id }) => id === position.incarnation)
  if (index === -1) return false
  const end = index + 1 < incarnations.length ? incarnations[index + 1]!.firstSeq - 1 : synced
  return position.seq <= end
}

const shape = /^([0-9a-f]{32})\.(0|[1-9][0-9]{0,15})$/

/** A position as text: `<incarnation>.<seq>`. */
export function formatPosition(position: Position): string {
  return `${position.incarnation}.${position.seq}`
}

/** The position that a text names; undefined for any other text. */
export function parsePosition(text: string): Position | undefined {
  const match = shape.exec(text)
  const seq = Number(match?.[2])
  return match && Number.isSafeInteger(seq) ? { incarnation: match[1]!, seq } : undefined
}
