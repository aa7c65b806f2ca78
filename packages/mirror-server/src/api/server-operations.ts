import { mediaTypes, routes } from '@mynah/replication/protocol'
import { binary, type Operation } from './operation.js'
import * as shapes from './shapes.js'

const value: NonNullable<Operation['body']> = { '*/*': { schema: binary, example: 'any bytes' } }
const written: Operation['answers'] = {
  200: { description: 'It is durable.', content: { [mediaTypes.json]: shapes.stamp } },
  201: {
    description: 'The key is new; `Location` says where.',
    content: { [mediaTypes.json]: shapes.stamp },
  },
}
const conditions = { 'if-match': shapes.ifMatch, 'if-none-match': shapes.ifNoneMatch }
const writeKey: Operation = {
  tag: 'keys',
  summary: 'Write a key',
  headers: conditions,
  body: value,
  answers: written,
  errors: [412, 413, 415, 507],
}

/** All but documents and replication: databases, keys, and what is for operators. */
export const serverOperations: Readonly<Record<string, Operation>> = {
  [`GET ${routes.root}`]: {
    tag: 'databases',
    summary: 'What this is, and which databases the token may see',
    answers: {
      200: {
        description: 'The mirror.',
        content: {
          [mediaTypes.json]: {
            type: 'object',
            required: ['name', 'version', 'protocol', 'databases'],
            properties: {
              name: { const: 'mynah' },
              version: { type: 'string' },
              protocol: { type: 'integer' },
              databases: { type: 'array', items: { type: 'string' } },
            },
          },
        },
      },
    },
  },
  [`GET ${routes.database}`]: {
    tag: 'databases',
    summary: 'What a database is, and how far it has come',
    query: { holds: { description: 'Positions, with commas: whether its history holds them.' } },
    answers: { 200: { description: 'The database.', content: { [mediaTypes.json]: shapes.info } } },
    errors: [404],
  },
  [`PUT ${routes.database}`]: {
    tag: 'databases',
    summary: 'Make a database',
    answers: {
      200: { description: 'It was there.', content: { [mediaTypes.json]: shapes.info } },
      201: { description: 'It is new.', content: { [mediaTypes.json]: shapes.info } },
    },
    errors: [415, 507],
  },
  [`DELETE ${routes.database}`]: {
    tag: 'databases',
    summary: 'Drop a database, with all that is in it',
    answers: { 204: { description: 'It is gone.' } },
    errors: [404],
  },
  [`GET ${routes.stats}`]: {
    tag: 'databases',
    summary: 'What a database holds and takes',
    answers: {
      200: shapes.either('Counts and bytes.', {
        type: 'object',
        required: ['documents', 'tombstones', 'conflicts', 'seq', 'hotBytes', 'sealedBytes', 'diskBytes'],
      }),
    },
    errors: [404, 406],
  },
  [`POST ${routes.verify}`]: {
    tag: 'databases',
    summary: 'Read and check every byte of a database',
    query: {
      repair: { description: 'Mends what can be.', schema: shapes.flag, example: 'true' },
      acceptLoss: { description: 'Takes what is known now for all there is.', schema: shapes.flag },
    },
    answers: { 200: shapes.lines('How far it is, at last the report.', shapes.told) },
    errors: [404, 406],
  },
  [`POST ${routes.compact}`]: {
    tag: 'databases',
    summary: 'Give back the room of what nobody needs',
    answers: { 200: shapes.lines('How far it is, at last the report.', shapes.told) },
    errors: [404, 406],
  },
  [`GET ${routes.keys}`]: {
    tag: 'keys',
    summary: 'A page of keys',
    query: {
      prefix: { description: 'Of the keys.', example: 'note/' },
      gt: { description: 'After this key.', schema: { minLength: 1 } },
      limit: shapes.limit,
    },
    answers: {
      200: {
        description: 'In order; `next` is the `gt` of the next page.',
        content: {
          [mediaTypes.json]: {
            type: 'object',
            required: ['keys'],
            properties: {
              keys: {
                type: 'array',
                items: {
                  type: 'object',
                  required: ['key', 'type', 'bytes', 'rev'],
                  properties: {
                    key: { type: 'string' },
                    type: { type: 'string' },
                    bytes: { type: 'integer' },
                  },
                },
              },
              next: { type: 'string' },
            },
          },
        },
      },
    },
    errors: [406],
  },
  [`GET ${routes.key}`]: {
    tag: 'keys',
    summary: 'The bytes of a key',
    headers: conditions,
    answers: {
      200: { description: 'As they were written, with their type.', content: { '*/*': binary } },
      304: { description: 'They are those that `If-None-Match` names.' },
    },
    errors: [404, 412],
  },
  [`PUT ${routes.key}`]: writeKey,
  [`POST ${routes.key}`]: writeKey,
  [`DELETE ${routes.key}`]: {
    tag: 'keys',
    summary: 'Delete a key',
    headers: conditions,
    answers: { 200: written[200]! },
    errors: [404, 412, 507],
  },
  [`GET ${routes.health}`]: {
    tag: 'operations',
    summary: 'Whether the process answers',
    answers: { 200: { description: 'It does.', content: { [mediaTypes.json]: shapes.ok } } },
  },
  [`GET ${routes.ready}`]: {
    tag: 'operations',
    summary: 'Whether all databases open and the disk has room',
    answers: { 200: { description: 'They do, and it has.', content: { [mediaTypes.json]: shapes.ok } } },
  },
  [`GET ${routes.metrics}`]: {
    tag: 'operations',
    summary: 'Figures for Prometheus',
    description: 'Of the process, and of the databases that the token reaches whole.',
    answers: { 200: { description: 'In its text format.', content: { 'text/plain': { type: 'string' } } } },
  },
  [`GET ${routes.openapi}`]: {
    tag: 'operations',
    summary: 'This description',
    answers: { 200: { description: 'OpenAPI 3.1.', content: { [mediaTypes.json]: { type: 'object' } } } },
  },
}
