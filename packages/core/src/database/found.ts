import type { Fields } from '../codec/value.js'
import type { Leaf } from '../document/tree.js'
import type { LeafRef } from './replica.js'

/** What a read came to; without rev and body where there is no document. */
export interface Found {
  readonly rev?: string
  readonly body?: Fields
  readonly current: boolean
  readonly from: 'local' | 'mirror'
  readonly asOf: Date | undefined
  /** Only of a revision that was named. */
  readonly deleted?: boolean
}

/** A leaf as others are asked about it. */
export function named(id: string, leaf: Leaf): LeafRef {
  return { id, rev: leaf.rev, ...(leaf.bodyHash && { bodyHash: leaf.bodyHash }) }
}
