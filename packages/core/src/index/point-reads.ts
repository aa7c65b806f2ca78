import type { DerivedStore } from './level.js'

/** Up to here single look-ups on the event loop cost less than a call to another thread. */
const SYNC_LOOKUPS = 32

/** Whether the store answers on the event loop: not while it is being opened again. */
export function looksUpNow(store: DerivedStore): boolean {
  // The types do not name this feature yet.
  return (store.supports as { readonly getSync?: boolean }).getSync === true
}

/** The values of some keys, in their order. */
export async function readValues(
  store: DerivedStore,
  keys: readonly Uint8Array[],
): Promise<(Uint8Array | undefined)[]> {
  if (keys.length > SYNC_LOOKUPS || !looksUpNow(store)) return store.getMany([...keys])
  return keys.map((key) => store.getSync(key))
}
