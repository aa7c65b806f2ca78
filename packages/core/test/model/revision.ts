import type { Fields } from '../../src/codec/value.js'
import { bodyHash, deriveRev, generationOf } from '../../src/document/revision.js'
import type { LogRecord } from '../../src/log/record.js'

/** One revision of a document, and all that it follows. */
export interface Revision {
  readonly id: string
  readonly rev: string
  /** All ancestors, the parent first. */
  readonly path: readonly string[]
  readonly deleted: boolean
  readonly body: Fields
  /** Only for a foreign rev. */
  readonly bodyHash?: Uint8Array
}

export function nativeRevision(
  id: string,
  parent: Pick<Revision, 'rev' | 'path'> | undefined,
  body: Fields | undefined,
): Revision {
  const rev = deriveRev(parent?.rev, body === undefined, body ?? {})
  return { id, rev, path: pathUnder(parent), deleted: body === undefined, body: body ?? {} }
}

/** A revision of another system: `digest` is its own. */
export function foreignRevision(
  id: string,
  parent: Pick<Revision, 'rev' | 'path'> | undefined,
  digest: string,
  body: Fields | undefined,
): Revision {
  const deleted = body === undefined
  const hash = bodyHash(deleted, body ?? {})
  const path = pathUnder(parent)
  return { id, rev: `${path.length + 1}-${digest}`, path, deleted, body: body ?? {}, bodyHash: hash }
}

function pathUnder(parent: Pick<Revision, 'rev' | 'path'> | undefined): readonly string[] {
  return parent === undefined ? [] : [parent.rev, ...parent.path]
}

/** What names a revision: a foreign one its rev and its body. */
export function keyOf({ rev, bodyHash: hash }: Pick<Revision, 'rev' | 'bodyHash'>): string {
  return hash === undefined ? rev : `${rev}:${Buffer.from(hash).toString('hex')}`
}

/** Less than 0 when `a` stands before `b` among the leaves of a document. */
export function compareLeaves(a: Revision, b: Revision): number {
  if (a.deleted !== b.deleted) return a.deleted ? 1 : -1
  const generations = generationOf(b.rev) - generationOf(a.rev)
  if (generations !== 0) return generations
  if (a.rev !== b.rev) return a.rev > b.rev ? -1 : 1
  return keyOf(a) > keyOf(b) ? -1 : 1
}

/** As another replica sends it: with so much of its path, or all; with its body or without. */
export function recordOf(
  revision: Revision,
  options: { readonly body: boolean; readonly path?: number },
): LogRecord {
  const { id, rev, deleted, bodyHash: hash } = revision
  const common = {
    id,
    rev,
    path: revision.path.slice(0, options.path),
    deleted,
    at: 5,
    origin: 'f'.repeat(32),
    supplies: false,
    continues: false,
    ...(hash && { bodyHash: hash }),
  }
  return options.body ? { ...common, kind: 'revision', body: revision.body } : { ...common, kind: 'stub' }
}
