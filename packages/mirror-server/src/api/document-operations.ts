import { mediaTypes, routes } from '@mynah/replication/protocol'
import { binary, type Operation } from './operation.js'
import * as shapes from './shapes.js'

const example = { text: 'hello', at: { $date: '2026-11-21T08:00:00.000Z' } }
const given = {
  [mediaTypes.json]: { schema: shapes.document, example },
  [mediaTypes.message]: { schema: binary },
}

/** Documents: one by one, by the page, and as they change. */
export const documentOperations: Readonly<Record<string, Operation>> = {
  [`GET ${routes.documents}`]: {
    tag: 'documents',
    summary: 'A document',
    query: {
      rev: { description: 'This revision, where it is still held.' },
      details: {
        description: 'With what is known of it, and no 404.',
        schema: shapes.flag,
        example: 'false',
      },
      strict: { description: 'With details: 503 rather than what may be stale.', schema: shapes.flag },
    },
    headers: { 'if-none-match': shapes.ifNoneMatch, 'if-match': shapes.ifMatch },
    answers: {
      200: shapes.either('The document; its rev is the `ETag`.', {
        ...shapes.document,
        description: 'The document, or with details `{ doc, current, asOf, deleted, conflicts }`.',
      }),
      304: { description: 'It is in the revision that `If-None-Match` names.' },
    },
    errors: [404, 406, 410, 412],
  },
  [`PUT ${routes.documents}`]: {
    tag: 'documents',
    summary: 'Write a document',
    description:
      'With the rev that was read, in the body or as `If-Match`; with `If-None-Match: *`, or with nothing, only where there is none; with `overwrite=true` in any case.',
    query: { overwrite: shapes.overwrite },
    headers: { 'if-match': shapes.ifMatch, 'if-none-match': shapes.ifNoneMatch },
    body: given,
    answers: {
      200: shapes.either('It is durable.', shapes.ref),
      201: shapes.either('It is new, and durable; `Location` says where.', shapes.ref),
    },
    errors: [404, 406, 409, 412, 413, 415, 507],
  },
  [`DELETE ${routes.documents}`]: {
    tag: 'documents',
    summary: 'Delete a document',
    query: { rev: { description: 'Only this revision.' } },
    headers: { 'if-match': shapes.ifMatch },
    answers: { 200: shapes.either('Its tombstone.', shapes.ref) },
    errors: [404, 406, 409, 507],
  },
  [`POST ${routes.collection}`]: {
    tag: 'documents',
    summary: 'Write a new document, or many',
    description:
      'One as JSON or msgpack: a UUIDv7 where it has no id. Many as NDJSON, at most 10,000: an outcome a line, in order.',
    query: { overwrite: shapes.overwrite },
    body: {
      ...given,
      [mediaTypes.lines]: {
        schema: { type: 'string' },
        example: '{"id":"note/2","text":"two"}\n{"id":"note/3"}\n',
      },
    },
    answers: {
      200: {
        description: 'One that was there before, or the outcomes of many.',
        content: { ...shapes.either('', shapes.ref).content, ...shapes.lines('', shapes.outcome).content },
      },
      201: shapes.either('One that is new; `Location` says where.', shapes.ref),
    },
    errors: [404, 406, 409, 413, 415, 507],
  },
  [`GET ${routes.collection}`]: {
    tag: 'documents',
    summary: 'A page of documents',
    description:
      'In order of their ids. `next` is the `gt` of the next page, or its `lt` in reverse; absent at the end.',
    query: {
      prefix: { description: 'Of the ids.', example: 'note/' },
      gt: { description: 'After this id.' },
      gte: { description: 'From this id on.' },
      lt: { description: 'Before this id.' },
      lte: { description: 'Up to this id.' },
      reverse: { description: 'From the end.', schema: shapes.flag },
      limit: shapes.limit,
      missing: {
        description: 'What becomes of documents that are known and not held.',
        schema: { enum: ['skip', 'fetch'] },
      },
    },
    answers: {
      200: shapes.either('The page.', {
        type: 'object',
        required: ['docs'],
        properties: { docs: { type: 'array', items: shapes.stored }, next: { type: 'string' } },
      }),
    },
    errors: [404, 406],
  },
  [`GET ${routes.changes}`]: {
    tag: 'documents',
    summary: 'What changed',
    description:
      'A change a line, or server-sent events whose id is the cursor. A document is told once, at its newest change. While nothing changes an empty line comes every 15 s.',
    query: {
      since: { description: 'After this cursor, or `now`. Default: from the beginning.' },
      live: { description: 'Goes on for ever.', schema: shapes.flag, example: 'false' },
      documents: { description: 'With the documents.', schema: shapes.flag, example: 'true' },
      prefix: { description: 'Of the ids.' },
      limit: shapes.limit,
    },
    headers: { 'last-event-id': { description: 'Goes before `since`, as a browser sends it.' } },
    answers: {
      200: {
        description: 'The changes.',
        content: { ...shapes.lines('', shapes.change).content, [mediaTypes.events]: { type: 'string' } },
      },
    },
    errors: [404, 406, 410],
  },
  [`GET ${routes.history}`]: {
    tag: 'documents',
    summary: 'What a document was before',
    query: {
      documents: { description: 'With the documents.', schema: shapes.flag, example: 'true' },
      limit: shapes.limit,
    },
    answers: { 200: shapes.lines('Its revisions, the newest first.', shapes.version) },
    errors: [404, 406],
  },
  [`GET ${routes.conflicts}`]: {
    tag: 'documents',
    summary: 'Documents in conflict',
    query: { limit: shapes.limit },
    answers: { 200: shapes.lines('With all their versions, the winner first.', shapes.conflict) },
    errors: [404, 406],
  },
}
