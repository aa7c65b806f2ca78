import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { checkedValue } from './checksum.js'
import { markBounds, numberAtEnd } from './keys.js'
import type { DerivedStore } from './level.js'

/** The newest arrival time among the records past `since` and not past `seq`: milliseconds since 1970 UTC. */
export interface Mark {
  readonly seq: number
  readonly since: number
  readonly latest: number
}

/** Layout: the time (f64), since (varint). */
export function encodeMark({ since, latest }: Mark): Uint8Array {
  const writer = new ByteWriter(18)
  writer.f64(latest)
  writer.varint(since)
  return writer.finish()
}

/** In order of seq. One that is damaged is left out: whoever needs what it covers reads the log. */
export async function* readMarks(store: DerivedStore): AsyncGenerator<Mark> {
  for await (const [key, stored] of store.iterator(markBounds)) {
    const value = checkedValue(key, stored)
    if (value === undefined) continue
    try {
      const reader = new ByteReader(value)
      const mark = { seq: numberAtEnd(key), latest: reader.f64(), since: reader.varint() }
      reader.end()
      yield mark
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
    }
  }
}
