import { writeSync } from 'node:fs'
import type { WriteKind } from './ledger.js'
import type { DurableNews } from './power-cut-storage.js'
import type { IndexNews } from './watched-level.js'

/** Where a writing child is in its life. */
export type Phase = 'ready' | 'opening' | 'open' | 'sealing' | 'compacting' | 'closing' | 'closed'

/** What a writing child tells its driver, a line of JSON each. */
export type Message =
  | { readonly kind: 'phase'; readonly phase: Phase }
  /** Before each write. */
  | { readonly kind: 'try'; readonly writes: readonly (readonly [id: string, n: number, kind: WriteKind])[] }
  /** The writes of one transaction and what they make, before it commits: all of them, or none. */
  | {
      readonly kind: 'whole'
      readonly writes: readonly (readonly [id: string, n: number, rev: string])[]
    }
  /** After its promise resolved. */
  | { readonly kind: 'ack'; readonly writes: readonly (readonly [id: string, n: number, rev: string])[] }
  /** Something that must not happen, a write that was refused for one. */
  | { readonly kind: 'fault'; readonly fault: string }
  | DurableNews
  | IndexNews

/** The descriptor of the pipe to the driver. */
const PIPE = 3

/**
 * Writes a line to the driver before it returns: what is told is told, also when the process dies right after.
 * A driver that reads slowly holds the child up.
 */
export function tell(message: object): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(PIPE, bytes, written)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
