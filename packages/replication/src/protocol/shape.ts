import type { Position } from '@mynah/core/replica'
import { Unpackr } from 'msgpackr'
import { MessageInvalidError } from '../errors.js'
import { fitsMessage } from './message-size.js'
import { wireLimits } from './names.js'
import { parsePosition } from './position.js'

/** Takes a decoded message apart: each method gives a value of the type it names, or throws `MessageInvalidError`. */
export class Shape {
  constructor(
    /** Which message, for errors. */
    readonly what: string,
  ) {}

  /**
   * A msgpack value of at most `valuesMax` values, elements of elements counted; a fresh decoder for each, so that
   * nothing of one sender reaches the next.
   */
  msgpack(bytes: Uint8Array, valuesMax: number): unknown {
    if (!fitsMessage(bytes, valuesMax)) return this.fail(`not msgpack of at most ${valuesMax} values`)
    try {
      return new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(bytes)
    } catch (cause) {
      return this.fail('not msgpack', { cause })
    }
  }

  json(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (cause) {
      return this.fail('not JSON', { cause })
    }
  }

  array(value: unknown, lengthMax: number): readonly unknown[] {
    if (!Array.isArray(value)) return this.fail('an array was expected')
    if (value.length > lengthMax) return this.fail(`${value.length} entries are more than ${lengthMax}`)
    return value
  }

  /** A plain object; its members are to be checked one by one. */
  object(value: unknown): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
      return this.fail('an object was expected')
    }
    return value as Readonly<Record<string, unknown>>
  }

  text(value: unknown, charactersMax: number = wireLimits.textCharacters): string {
    if (typeof value !== 'string') return this.fail('text was expected')
    if (value.length > charactersMax) return this.fail(`text of ${value.length} characters`)
    return value
  }

  /** An integer from 0 to 2^53 - 1. */
  count(value: unknown): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      return this.fail('a count was expected')
    }
    return value
  }

  boolean(value: unknown): boolean {
    return typeof value === 'boolean' ? value : this.fail('true or false was expected')
  }

  /** A copy of exactly `length` bytes. */
  bytes(value: unknown, length: number): Uint8Array {
    if (!(value instanceof Uint8Array) || value.length !== length)
      return this.fail(`${length} bytes were expected`)
    return new Uint8Array(value)
  }

  position(value: unknown): Position {
    return parsePosition(this.text(value)) ?? this.fail('a position was expected')
  }

  fail(detail: string, options?: ErrorOptions): never {
    throw new MessageInvalidError(this.what, detail, options)
  }
}
