import type { Fields } from '@mynah/core'
import { wireLimits } from '../protocol/names.js'

/** A document that may be sent: checked and copied. */
export interface Outgoing {
  readonly id: string
  readonly rev: string | undefined
  readonly body: Fields
  readonly json: Uint8Array
}

/** Each as large as one request may be. */
export function inBatches(outgoing: readonly Outgoing[]): Outgoing[][] {
  const batches: Outgoing[][] = []
  let bytes = 0
  for (const one of outgoing) {
    const last = batches.at(-1)
    bytes += one.json.length + 1
    if (last && last.length < wireLimits.documents && bytes <= wireLimits.requestBytes) last.push(one)
    else {
      batches.push([one])
      bytes = one.json.length + 1
    }
  }
  return batches
}

/** A line each. */
export function linesOf(batch: readonly Outgoing[]): Uint8Array {
  const bytes = new Uint8Array(batch.reduce((sum, { json }) => sum + json.length + 1, 0))
  let offset = 0
  for (const { json } of batch) {
    bytes.set(json, offset)
    offset += json.length + 1
    bytes[offset - 1] = 0x0a
  }
  return bytes
}
