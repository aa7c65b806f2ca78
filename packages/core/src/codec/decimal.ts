import { DECIMAL_PLACES, isColumnInteger } from './column-format.js'

const POWERS = Array.from({ length: DECIMAL_PLACES + 1 }, (_, places) => 10 ** places)

/**
 * The fewest decimal places, at least `from`, that hold the number exactly: rounded to them and divided again it is the
 * same to the last bit. Undefined where none do.
 */
export function decimalPlaces(value: number, from: number): number | undefined {
  for (let places = from; places <= DECIMAL_PLACES; places++) {
    const scaled = Math.round(value * POWERS[places]!)
    if (!isColumnInteger(scaled)) return undefined
    if (scaled / POWERS[places]! === value) return places
  }
  return undefined
}

/** The integer that stands for the number with so many places. */
export function toScaled(value: number, places: number): number {
  // Adding 0 turns -0 into 0.
  return Math.round(value * POWERS[places]!) + 0
}

/** The number for which the integer stands. A division, not a product with a power below one: only that is exact. */
export function fromScaled(scaled: number, places: number): number {
  return scaled / POWERS[places]!
}
