import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import type { Column, OpenColumn } from './column.js'
import type { DecodeBudget } from './column-format.js'
import { Integers } from './integers.js'
import { Rank } from './rank.js'

/** A column of values of several kinds has a column for each. (format) */
const CLASSES_MAX = 9

/** Takes a column of values of several kinds. @throws MalformedBytes */
export function readMixed(
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
  open: OpenColumn,
): Column {
  const classCount = reader.u8()
  if (classCount < 2 || classCount > CLASSES_MAX) throw new MalformedBytes('a wrong number of kinds')
  const classOf = Integers.read(reader, count, budget)
  const counts = countClasses(classOf, classCount)
  const parts = counts.map((rows) => ({ bytes: reader.bytes(), rows }))
  reader.end()
  const columns: (Column | undefined)[] = []
  const ranks: (Rank | undefined)[] = []
  return {
    get(index) {
      const c = classOf.at(index)
      const { bytes, rows } = parts[c]!
      const column = columns[c] ?? open(bytes, rows, depth)
      const rank = ranks[c] ?? rankOf(classOf, c, classCount, budget)
      columns[c] = column
      ranks[c] = rank
      return column.get(rank.at(index))
    },
  }
}

function rankOf(classes: Integers, chosen: number, classCount: number, budget: DecodeBudget): Rank {
  return new Rank(
    classes,
    Array.from({ length: classCount }, (_, index) => index === chosen),
    budget,
  )
}

/** How many rows each class has. @throws MalformedBytes where there is an unknown one */
export function countClasses(classes: Integers, classCount: number): number[] {
  const counts = new Array<number>(classCount).fill(0)
  for (let i = 0; i < classes.count; i++) {
    const index = classes.at(i)
    if (!(index >= 0 && index < classCount)) throw new MalformedBytes('an unknown class')
    counts[index]!++
  }
  return counts
}
