import { pageBounds } from './keys.js'
import type { DerivedStore } from './level.js'

/** Pages whose documents are rewritten at a time, so that a close need not wait for all: some megabytes. */
const PAGES = 1_024
const END = Uint8Array.of(0xff)

interface Compactable {
  compactRange?(start: Uint8Array, end: Uint8Array): Promise<void>
}

/** Has a store rewrite what it holds without what was deleted or replaced; does nothing where it cannot. */
export async function shrinkLevel(store: DerivedStore, signal: AbortSignal): Promise<void> {
  const compactable = store as Compactable
  if (compactable.compactRange === undefined) return
  for (const [start, end] of await slices(store)) {
    signal.throwIfAborted()
    await compactable.compactRange(start, end)
  }
}

/** The key space in parts: documents, then their history, cut at the same ids, then all else. */
async function slices(store: DerivedStore): Promise<readonly [Uint8Array, Uint8Array][]> {
  const firsts: Uint8Array[] = []
  let count = 0
  const iterator = store.iterator(pageBounds)
  try {
    for await (const [key] of iterator) if (count++ % PAGES === 0) firsts.push(key.slice(1))
  } finally {
    await iterator.close()
  }
  const bounds = [Uint8Array.of(0)]
  for (const space of [1, 2]) for (const first of firsts) bounds.push(Uint8Array.of(space, ...first))
  return bounds.map((start, i) => [start, bounds[i + 1] ?? END])
}
