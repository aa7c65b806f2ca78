import {
  encodeAskedRanges,
  encodeFetch,
  encodeLeaves,
  encodeShards,
  headers,
  mediaTypes,
  routes,
} from '@mynah/replication/protocol'
import { binary, type Operation, type Schema } from './operation.js'

/** Bytes whose example stands there as base64. */
const message: Schema = { type: 'string', format: 'byte' }
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** A document `note/9`, written in memory at a fixed moment. */
const SHARD =
  'TVlTSAEAAAAAAAABAAAAAQAAADYAAAA2lRiow+ilAGQBAYQWCAJGbm90ZS85BwCA4Li2v2gRAQcHBwcHBwcHBwcHBwcHBwcOAiEEdGV4dEZwdXNoZWQ='
const pushedShards = encodeShards({ shards: [Uint8Array.from(Buffer.from(SHARD, 'base64'))], lost: false })
const sender: Operation['headers'] = {
  [headers.database]: {
    description: 'The id of the database that sends.',
    example: '0'.repeat(32),
    required: true,
  },
}
const flag: Schema = { enum: ['0', '1'], default: '0' }
const leaves = [{ id: 'note/9', rev: '1-a9d2e74134ea8e26a50e9430cf86e98d' }]

const whole = { description: 'With whole paths.', schema: flag }
const asked = (bytes: Uint8Array): NonNullable<Operation['body']> => ({
  [mediaTypes.message]: { schema: message, example: base64(bytes) },
})
const told: Operation['answers'] = {
  200: { description: 'A message, see the protocol.', content: { [mediaTypes.message]: binary } },
}
const shard: Operation['answers'] = {
  200: { description: 'A shard.', content: { [mediaTypes.shard]: binary } },
  204: { description: 'There is nothing to send.' },
}

/** What peers and mirrors say to each other. What it means, and the bytes, are in docs/protocol.md. */
export const replicationOperations: Readonly<Record<string, Operation>> = {
  [`GET ${routes.records}`]: {
    tag: 'replication',
    summary: 'A page of what changed',
    query: {
      since: { description: 'A position.' },
      bodies: { description: 'With bodies.', schema: flag, example: '1' },
      whole,
      bytes: { description: 'After which the page ends.' },
      prefix: { description: 'Of the ids; several are allowed.' },
    },
    answers: shard,
    errors: [404, 410],
  },
  [`POST ${routes.records}`]: {
    tag: 'replication',
    summary: 'Push records',
    query: { whole },
    headers: sender,
    body: { [mediaTypes.shard]: { schema: message, example: SHARD } },
    answers: told,
    errors: [404, 413, 415, 422, 507],
  },
  [`GET ${routes.live}`]: {
    tag: 'replication',
    summary: 'How far the database has come, as it comes along',
    description: 'A position a line; it does not end.',
    answers: { 200: { description: 'Positions.', content: { [mediaTypes.lines]: { type: 'string' } } } },
    errors: [404],
  },
  [`POST ${routes.missing}`]: {
    tag: 'replication',
    summary: 'Which of some leaves should be sent',
    body: asked(encodeLeaves(leaves)),
    answers: told,
    errors: [404, 413, 415],
  },
  [`POST ${routes.held}`]: {
    tag: 'replication',
    summary: 'Which of some leaves are held durably',
    body: asked(encodeLeaves(leaves)),
    answers: told,
    errors: [404, 413, 415],
  },
  [`POST ${routes.fetch}`]: {
    tag: 'replication',
    summary: 'What is in some leaves',
    query: { whole, stubs: { description: 'Without bodies.', schema: flag } },
    body: asked(encodeFetch([{ id: 'note/1' }])),
    answers: shard,
    errors: [404, 413, 415],
  },
  [`POST ${routes.ranges}`]: {
    tag: 'replication',
    summary: 'What is known of ranges of ids',
    body: asked(encodeAskedRanges([{ from: '', to: undefined }])),
    answers: told,
    errors: [404, 413, 415],
  },
  [`GET ${routes.owed}`]: {
    tag: 'replication',
    summary: 'Which bodies are to be held and are not',
    query: { after: { description: 'The id where the last page ended.' } },
    answers: told,
    errors: [404],
  },
  [`GET ${routes.shards}`]: {
    tag: 'replication',
    summary: 'What is sealed, as it lies',
    query: {
      after: { description: 'A position.' },
      bytes: { description: 'After which the answer ends.' },
    },
    answers: {
      200: { description: 'Shards, see the protocol.', content: { [mediaTypes.shards]: binary } },
      204: { description: 'There is nothing to send.' },
    },
    errors: [404, 410],
  },
  [`POST ${routes.shards}`]: {
    tag: 'replication',
    summary: 'Push shards as they lie',
    description: 'Only for who reaches all ids.',
    headers: sender,
    body: { [mediaTypes.shards]: { schema: message, example: base64(pushedShards) } },
    answers: told,
    errors: [404, 413, 415, 507],
  },
}
