import type { DocumentIndex } from '../index/document-index.js'
import type { Checkpoint, Parked } from './replica.js'

/** A checkpoint as it is stored: as JSON, in a note of the index. */
export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint
  readonly parked: readonly Parked[]
}

export async function storedCheckpoint(
  index: DocumentIndex,
  key: string,
  direction: 'push' | 'pull',
): Promise<StoredCheckpoint | undefined> {
  const text = await index.note(noteName(key, direction))
  return text === undefined ? undefined : (JSON.parse(text) as StoredCheckpoint)
}

/** Durable when resolved. */
export function storeCheckpoint(
  index: DocumentIndex,
  key: string,
  direction: 'push' | 'pull',
  stored: StoredCheckpoint,
): Promise<void> {
  return index.setNote(noteName(key, direction), JSON.stringify(stored))
}

function noteName(key: string, direction: 'push' | 'pull'): string {
  return `checkpoint/${direction}/${key}`
}
