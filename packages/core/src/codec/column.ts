import type { Value } from './value.js'

/** A column of values that is decoded as far as it is asked. Values may be shared between calls: never change them. */
export interface Column {
  /** The value at `index`, which must lie in the column. @throws MalformedBytes */
  get(index: number): Value
}

/** How a column opens those within it; `depth` is the levels of arrays and objects around their values. */
export type OpenColumn = (bytes: Uint8Array, count: number, depth: number) => Column
