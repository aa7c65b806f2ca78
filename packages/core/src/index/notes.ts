import { checkedValue, withChecksum } from './checksum.js'
import { noteKey } from './keys.js'
import type { DerivedStore } from './level.js'

/** A small named text; undefined when there is none, or it is damaged. */
export async function readNote(store: DerivedStore, name: string): Promise<string | undefined> {
  const key = noteKey(name)
  const stored = await store.get(key)
  const value = stored && checkedValue(key, stored)
  return value && new TextDecoder().decode(value)
}

/** Durable when it resolves. */
export async function writeNote(store: DerivedStore, name: string, text: string): Promise<void> {
  const key = noteKey(name)
  await store.put(key, withChecksum(key, new TextEncoder().encode(text)), { sync: true } as object)
}
