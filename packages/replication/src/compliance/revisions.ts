import { createHash } from 'node:crypto'
import { ByteList, compareBytes, hexOf, utf8 } from './byte-list.js'

/** A value of a body, as docs/formats/revision.md has them. */
export type BodyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly BodyValue[]
  | Body
export interface Body {
  readonly [member: string]: BodyValue
}

/** One record of a push. */
export interface SentRecord {
  readonly id: string
  readonly rev: string
  /** Ancestors, the parent first. */
  readonly path: readonly string[]
  readonly deleted: boolean
  /** Absent in a stub. */
  readonly body?: Body
  /** Only with a foreign rev. */
  readonly bodyHash?: Uint8Array
  readonly continues?: boolean
}

export type SentLeaf =
  | readonly [id: string, rev: string]
  | readonly [id: string, rev: string, hash: Uint8Array]

interface RevisionOptions {
  readonly parent?: SentRecord
  readonly deleted?: boolean
  /** Makes the rev a foreign one. */
  readonly digest?: string
  readonly continues?: boolean
}

/** A revision as its writer would send it, with its whole path: its rev is derived as the page of revisions says. */
export function revision(id: string, body: Body | number, options: RevisionOptions = {}): SentRecord {
  const { parent, deleted = false, digest, continues = false } = options
  const content = deleted ? {} : typeof body === 'number' ? { n: body } : body
  const path = parent === undefined ? [] : [parent.rev, ...parent.path].slice(0, 1_000)
  const generation = parent === undefined ? 1 : Number(parent.rev.split('-', 1)[0]) + 1
  const named = { id, path, deleted, body: content, continues }
  if (digest === undefined)
    return { ...named, rev: `${generation}-${digestOf(parent?.rev, deleted, content)}` }
  return { ...named, rev: `${generation}-${digest}`, bodyHash: bodyHash(deleted, content) }
}

export function stubOf({ body: _, ...rest }: SentRecord): SentRecord {
  return rest
}

/** The name of a leaf, as it travels. */
export function leafOf({ id, rev, bodyHash: hash }: SentRecord): SentLeaf {
  return hash === undefined ? [id, rev] : [id, rev, hash]
}

function digestOf(parent: string | undefined, deleted: boolean, body: Body): string {
  const list = new ByteList()
    .raw(utf8('MYRV'))
    .u8(1)
    .u8(deleted ? 1 : 0)
  list.text(parent ?? '')
  writeCanonical(list, body)
  return hexOf(sha256(list).subarray(0, 16))
}

function bodyHash(deleted: boolean, body: Body): Uint8Array {
  const list = new ByteList()
  if (deleted) list.u8(11)
  writeCanonical(list, body)
  return sha256(list)
}

function writeCanonical(list: ByteList, value: BodyValue): void {
  if (value === null) list.u8(0)
  else if (typeof value === 'boolean') list.u8(value ? 2 : 1)
  else if (typeof value === 'number') list.u8(3).f64(value)
  else if (typeof value === 'bigint') {
    list.u8(4).u8(value < 0n ? 1 : 0)
    list.part(magnitudeOf(value < 0n ? -value : value))
  } else if (typeof value === 'string') list.u8(5).text(value)
  else if (value instanceof Date) list.u8(6).f64(value.getTime())
  else if (value instanceof Uint8Array) list.u8(7).part(value)
  else if (isList(value)) {
    list.u8(8).varint(value.length)
    for (const one of value) writeCanonical(list, one)
  } else {
    const members = Object.entries(value).map(([name, member]) => ({ name: utf8(name), member }))
    members.sort((a, b) => compareBytes(a.name, b.name))
    list.u8(9).varint(members.length)
    for (const { name, member } of members) writeCanonical(list.part(name), member)
  }
}

export function isList(value: BodyValue): value is readonly BodyValue[] {
  return Array.isArray(value)
}

/** Big-endian, the shortest: of 0 none. */
export function magnitudeOf(value: bigint): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn))
  return Uint8Array.from(bytes)
}

/** The fingerprint of an id with these leaves, as a number. */
export function fingerprint(id: string, leaves: readonly SentRecord[]): bigint {
  const none = new Uint8Array(0)
  const inOrder = leaves.toSorted((a, b) => {
    return compareBytes(utf8(a.rev), utf8(b.rev)) || compareBytes(a.bodyHash ?? none, b.bodyHash ?? none)
  })
  const list = new ByteList().text(id)
  for (const { rev, deleted, bodyHash: hash } of inOrder)
    list
      .text(rev)
      .u8(deleted ? 1 : 0)
      .raw(hash ?? none)
  return BigInt(`0x${hexOf(sha256(list))}`)
}

function sha256(list: ByteList): Uint8Array {
  return createHash('sha256').update(list.finish()).digest()
}
