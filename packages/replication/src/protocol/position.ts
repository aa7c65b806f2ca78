import type { Position } from '@mynah/core/replica'

/** A position as it travels: `<incarnation, 32 lower-case hex digits>.<seq, decimal>`. */
export function positionText(position: Position): string {
  return `${position.incarnation}.${position.seq}`
}

/** The position that the text names; undefined when it names none. */
export function parsePosition(text: string): Position | undefined {
  const match = /^([0-9a-f]{32})\.(0|[1-9][0-9]{0,15})$/.exec(text)
  if (match === null) return undefined
  const seq = Number(match[2])
  return Number.isSafeInteger(seq) ? { incarnation: match[1]!, seq } : undefined
}
