import type { Document } from '@mynah/core'

/** All members of a document but its id and rev, as text that is the same for equal bodies. */
export function bodyText(doc: Document): string {
  const { id: _id, rev: _rev, ...members } = doc
  return text(members)
}

function text(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return `date ${value.getTime()}`
  if (value instanceof Uint8Array) return `bytes ${value.join()}`
  if (Array.isArray(value)) return `[${value.map(text).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'absent'
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${text(member)}`).join()}}`
}
