import { compareBytes, compareUtf8 } from '../bytes/compare.js'
import { entryBounds, entryKey } from './keys.js'

/** Which ids a scan covers. Bounds of one side may be given together: the narrower one holds. */
export interface IdRange {
  readonly prefix?: string
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
}

/** Whether the id lies in the range. */
export function inRange(id: string, range: IdRange): boolean {
  return (
    (range.prefix === undefined || id.startsWith(range.prefix)) &&
    (range.gt === undefined || compareUtf8(id, range.gt) > 0) &&
    (range.gte === undefined || compareUtf8(id, range.gte) >= 0) &&
    (range.lt === undefined || compareUtf8(id, range.lt) < 0) &&
    (range.lte === undefined || compareUtf8(id, range.lte) <= 0)
  )
}

/** The same as bounds of entry keys. */
export function keyBounds(range: IdRange): { gte: Uint8Array; lt: Uint8Array } {
  let gte: Uint8Array = entryBounds.gte
  let lt: Uint8Array = entryBounds.lt
  const above = (key: Uint8Array) => {
    if (compareBytes(key, gte) > 0) gte = key
  }
  const below = (key: Uint8Array) => {
    if (compareBytes(key, lt) < 0) lt = key
  }
  if (range.gte !== undefined) above(entryKey(range.gte))
  if (range.gt !== undefined) above(justAfter(entryKey(range.gt)))
  if (range.lt !== undefined) below(entryKey(range.lt))
  if (range.lte !== undefined) below(justAfter(entryKey(range.lte)))
  if (range.prefix) {
    above(entryKey(range.prefix))
    below(afterPrefix(entryKey(range.prefix)))
  }
  return { gte, lt }
}

function justAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** UTF-8 has no byte 0xff, so the last byte can always be raised. */
function afterPrefix(key: Uint8Array): Uint8Array {
  const next = key.slice()
  next[next.length - 1]! += 1
  return next
}
