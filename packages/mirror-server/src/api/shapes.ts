import { mediaTypes } from '@mynah/replication/protocol'
import { type Answer, binary, type Parameter, type Schema } from './operation.js'

const rev: Schema = { type: 'string', description: 'generation-digest' }
const id: Schema = { type: 'string' }
const date: Schema = {
  type: 'object',
  required: ['$date'],
  properties: { $date: { type: 'string', format: 'date-time' } },
}

export const document: Schema = {
  type: 'object',
  description: 'Any members; Date, bytes and bigint are tagged: `{"$date"}`, `{"$bytes"}`, `{"$bigint"}`.',
  properties: { id, rev },
}

export const stored: Schema = { ...document, required: ['id', 'rev'] }

export const ref: Schema = { type: 'object', required: ['id', 'rev'], properties: { id, rev } }

export const change: Schema = {
  type: 'object',
  required: ['cursor', 'seq', 'id', 'rev', 'deleted', 'conflicts'],
  properties: {
    cursor: { type: 'string' },
    seq: { type: 'integer' },
    id,
    rev,
    deleted: { type: 'boolean' },
    conflicts: { type: 'array', items: rev },
    doc: stored,
  },
}

export const version: Schema = {
  type: 'object',
  required: ['rev', 'seq', 'at', 'deleted'],
  properties: { rev, seq: { type: 'integer' }, at: date, deleted: { type: 'boolean' }, doc: stored },
}

export const conflict: Schema = {
  type: 'object',
  required: ['id', 'leaves', 'missing'],
  properties: {
    id,
    leaves: { type: 'array', items: stored },
    missing: { type: 'array', items: rev },
    base: stored,
  },
}

export const outcome: Schema = {
  type: 'object',
  required: ['ok'],
  properties: { ok: { type: 'boolean' }, id, rev, code: { type: 'string' }, message: { type: 'string' } },
}

export const info: Schema = {
  type: 'object',
  required: ['name', 'id', 'mode', 'protocol', 'documents', 'limits'],
  properties: {
    name: { type: 'string' },
    id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    mode: { enum: ['peer', 'mirror'] },
    protocol: { type: 'integer' },
    position: { type: 'string' },
    documents: { type: 'integer' },
    owes: { type: 'integer', description: 'Bodies that are known, and not held yet.' },
    limits: { type: 'object' },
  },
}

export const told: Schema = {
  type: 'object',
  properties: { progress: { type: 'object' }, report: { type: 'object' } },
}

export const stamp: Schema = {
  type: 'object',
  required: ['ok', 'versionstamp'],
  properties: { ok: { const: true }, versionstamp: { type: 'string', pattern: '^[0-9a-f]{20}$' } },
}

export const ok: Schema = { type: 'object', required: ['ok'], properties: { ok: { const: true } } }

/** As JSON, or msgpack. */
export function either(description: string, schema: Schema): Answer {
  return { description, content: { [mediaTypes.json]: schema, [mediaTypes.message]: binary } }
}

/** A line each. */
export function lines(description: string, schema: Schema): Answer {
  return { description, content: { [mediaTypes.lines]: { ...schema, title: 'of a line' } } }
}

export const flag: Schema = { enum: ['true', 'false', '1', '0'], default: 'false' }
const count: Schema = { pattern: '^[1-9][0-9]{0,14}$' }

export const ifMatch: Parameter = {
  description: 'Only where the revision is one of these, in quotes; `*`: only where there is something.',
}
export const ifNoneMatch: Parameter = {
  description:
    'Of a read: 304 where the revision is one of these. Of a write: only where it is none of these; `*`: only where there is nothing.',
}
export const limit: Parameter = { description: 'At most so many.', schema: count, example: '10' }
export const overwrite: Parameter = {
  description: 'In the place of whatever is there.',
  schema: flag,
  example: 'true',
}
