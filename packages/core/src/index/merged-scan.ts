import { compareUtf8 } from '../bytes/compare.js'
import { parseValue } from './checksum.js'
import { decodeEntry, type Entry } from './entry.js'
import { conflictBounds, entryId } from './keys.js'
import type { DerivedStore } from './level.js'
import type { Overlay } from './overlay.js'
import { type Bounds, keyBounds } from './range.js'

/** Rows asked of the store at a time. */
const ROWS = 256

/**
 * Entries of the store with those of the overlays, the later the newer, on top: in order of the ids' UTF-8 bytes, all
 * as they are in the turn of this call. The caller iterates to the end, or closes what it got.
 */
export function mergedScan(
  store: DerivedStore,
  overlays: readonly Overlay[],
  bounds: Bounds,
  reverse = false,
): AsyncGenerator<[string, Entry]> {
  // The iterator sees the store as of now, so all must be taken in one turn.
  const newer = new Map<string, Entry>()
  for (const overlay of overlays) {
    for (const id of overlay.within(bounds)) newer.set(id, overlay.entries.get(id)!)
  }
  const { gte, lt } = keyBounds(bounds)
  return merge(store.iterator({ gte, lt, reverse }) as unknown as Rows, newer, reverse, decodeEntry)
}

/** The same for which documents have several live leaves; of others it may tell that they have not. */
export function mergedConflicts(
  store: DerivedStore,
  overlays: readonly Overlay[],
): AsyncGenerator<[string, boolean]> {
  const newer = new Map<string, boolean>()
  for (const overlay of overlays) for (const [id, now] of overlay.conflicts) newer.set(id, now)
  return merge(store.iterator(conflictBounds) as unknown as Rows, newer, false, () => true)
}

/** The first id within the bounds, or the last, of the store and the overlays, as of the turn of this call. */
export async function edgeId(
  store: DerivedStore,
  overlays: readonly Overlay[],
  bounds: Bounds,
  reverse = false,
): Promise<string | undefined> {
  const ids = overlays.map((overlay) => overlay.edge(bounds, reverse)).filter((id) => id !== undefined)
  const { gte, lt } = keyBounds(bounds)
  const rows = store.iterator({ gte, lt, reverse, limit: 1 }) as unknown as Rows
  try {
    for (const [key] of await rows.nextv(1)) ids.push(entryId(key))
  } finally {
    await rows.close()
  }
  ids.sort(compareUtf8)
  return ids.at(reverse ? -1 : 0)
}

/** Of the types of the store's iterator, those of `view` encodings. */
interface Rows {
  nextv(size: number): Promise<[Uint8Array, Uint8Array][]>
  close(): Promise<void>
}

async function* merge<T>(
  rows: Rows,
  newer: ReadonlyMap<string, T>,
  reverse: boolean,
  decode: (value: Uint8Array) => T,
): AsyncGenerator<[string, T]> {
  const sign = reverse ? -1 : 1
  const fresh = [...newer.keys()].sort((a, b) => sign * compareUtf8(a, b))
  let next = 0
  try {
    for (let some = await rows.nextv(ROWS); some.length > 0; some = await rows.nextv(ROWS)) {
      for (const [key, value] of some) {
        const id = entryId(key)
        while (next < fresh.length && sign * compareUtf8(fresh[next]!, id) < 0) {
          const earlier = fresh[next++]!
          yield [earlier, newer.get(earlier)!]
        }
        if (fresh[next] === id) {
          next += 1
          yield [id, newer.get(id)!]
        } else yield [id, parseValue(key, value, decode)]
      }
    }
    for (; next < fresh.length; next++) yield [fresh[next]!, newer.get(fresh[next]!)!]
  } finally {
    await rows.close()
  }
}
