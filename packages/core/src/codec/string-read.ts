import { type ByteReader, decodeUtf8, MalformedBytes } from '../bytes/byte-reader.js'
import type { Column, OpenColumn } from './column.js'
import { type DecodeBudget, FRONT_CODED_RUN } from './column-format.js'
import { Integers } from './integers.js'
import { Spans } from './spans.js'

/** Takes byte strings after their lengths: gives a view of one. @throws MalformedBytes */
export function readParts(
  reader: ByteReader,
  count: number,
  budget: DecodeBudget,
): (index: number) => Uint8Array {
  const lengths = Integers.read(reader, count, budget)
  const bytes = reader.raw(reader.left)
  let spans: Spans | undefined
  return (index) => {
    spans ??= new Spans(lengths, bytes.length)
    if (spans.total !== bytes.length) throw new MalformedBytes('parts shorter than the whole')
    const part = bytes.subarray(spans.start(index), spans.start(index + 1))
    budget.spend(part.length)
    return part
  }
}

/** Takes a column of strings. @throws MalformedBytes */
export function readStrings(reader: ByteReader, count: number, budget: DecodeBudget): Column {
  const part = readParts(reader, count, budget)
  return { get: (index) => decodeUtf8(part(index)) }
}

/** Takes a column of strings of which each is told by what it shares with the one before. @throws MalformedBytes */
export function readFrontCoded(reader: ByteReader, count: number, budget: DecodeBudget): Column {
  const prefixes = Integers.read(reader, count, budget)
  const suffix = readParts(reader, count, budget)
  return {
    get(index) {
      const end = suffix(index)
      let needed = prefixes.at(index)
      if (needed === 0) return decodeUtf8(end)
      if (!(needed > 0 && index % FRONT_CODED_RUN !== 0))
        throw new MalformedBytes('a string that shares nothing')
      budget.spend(needed)
      const bytes = new Uint8Array(needed + end.length)
      bytes.set(end, needed)
      for (let i = index - 1; needed > 0; i--) {
        const shared = i % FRONT_CODED_RUN === 0 ? 0 : prefixes.at(i)
        if (!(shared >= 0)) throw new MalformedBytes('a string that shares nothing')
        if (shared >= needed) continue
        const own = suffix(i)
        if (shared + own.length < needed) throw new MalformedBytes('a string that shares more than there is')
        bytes.set(own.subarray(0, needed - shared), shared)
        needed = shared
      }
      return decodeUtf8(bytes)
    },
  }
}

/** Takes a column of few distinct strings. @throws MalformedBytes */
export function readDictionary(
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
  open: OpenColumn,
): Column {
  const size = reader.varint()
  if (size > count) throw new MalformedBytes('a dictionary larger than its column')
  const entries = reader.bytes()
  const indexes = Integers.read(reader, count, budget)
  reader.end()
  let column: Column | undefined
  const texts: (string | undefined)[] = []
  return {
    get(row) {
      const index = indexes.at(row)
      if (!(index >= 0 && index < size)) throw new MalformedBytes('not in the dictionary')
      const known = texts[index]
      if (known !== undefined) {
        budget.spend(known.length)
        return known
      }
      column ??= open(entries, size, depth)
      const text = column.get(index)
      if (typeof text !== 'string') throw new MalformedBytes('a dictionary of other than strings')
      texts[index] = text
      return text
    },
  }
}
