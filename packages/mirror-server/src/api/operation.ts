import { mediaTypes } from '@mynah/replication/protocol'
import type { FastifySchema } from 'fastify'

/** A JSON Schema, as far as it is written here. */
export type Schema = { readonly [keyword: string]: unknown }

/** A parameter of the query, or a header. All are text; a schema says which. */
export interface Parameter {
  readonly description: string
  readonly schema?: Schema
  /** What the reference's example has there; without it the example goes without. */
  readonly example?: string
  readonly required?: true
}

/** What an operation takes or gives of one type. */
export interface Content {
  readonly schema: Schema
  /** Of a body: JSON, text, or base64 where `binary` says so. */
  readonly example?: unknown
}

/** What may be asked of a path by one method: validates its query, and describes all of it for `/openapi.json`. */
export interface Operation {
  readonly tag: 'documents' | 'databases' | 'keys' | 'replication' | 'operations'
  readonly summary: string
  readonly description?: string
  readonly query?: Readonly<Record<string, Parameter>>
  readonly headers?: Readonly<Record<string, Parameter>>
  /** By media type. */
  readonly body?: Readonly<Record<string, Content>>
  /** By status: what it means, and what it brings by media type. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Statuses of the errors that are its own; any may be 400, 401, 403, 503. */
  readonly errors?: readonly (keyof typeof errorMeanings)[]
}

/** One answer of an operation, as OpenAPI describes it. */
export interface Answer {
  readonly description: string
  readonly content?: Readonly<Record<string, Schema>>
}

/** Any bytes. */
export const binary: Schema = { type: 'string', format: 'binary' }

/** `{ code, message }` and what belongs to the code. */
export const failure: Schema = {
  $id: 'Failure',
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', pattern: '^MYNAH_[A-Z_]+$', description: 'What callers branch on.' },
    message: { type: 'string', description: 'For people; may change.' },
    rev: { type: 'string', description: 'The current revision, of a conflict or a condition.' },
    path: { type: 'string', description: 'Where in the document.' },
    detail: { type: 'string' },
  },
}

const errorMeanings = {
  400: 'The request is not well-formed, or the document cannot be stored.',
  401: 'A valid token is needed.',
  403: 'The token is not for this.',
  404: 'There is nothing there.',
  406: 'It is not to be had in a type that `Accept` names.',
  409: 'The write names a revision that is not the current one.',
  410: 'It was there, and is gone.',
  412: 'A condition of the headers does not hold.',
  413: 'The body is too large.',
  415: 'The body is of a type that this does not take.',
  422: 'What was sent is refused.',
  429: 'Too many requests; `Retry-After` says when to come again.',
  503: 'Not now; `Retry-After` says when to come again.',
  507: 'The disk is full.',
} as const

/** What every path is made of. */
const pathParameters: Readonly<Record<string, Schema>> = {
  db: {
    type: 'string',
    description: 'The name of a database: `[a-z0-9][a-z0-9_.-]{0,127}`.',
    examples: ['notes'],
  },
  '*': {
    type: 'string',
    description:
      'The rest of the path, 1 to 1,024 bytes of UTF-8 that do not begin with `_`; slashes raw or encoded.',
    examples: ['note/1'],
  },
}

/** As fastify validates by it, and its generator of OpenAPI reads it. */
export function schemaOf(operation: Operation, pattern: string): FastifySchema {
  const { tag, summary, description, query, headers, body, answers, errors = [] } = operation
  const named = ['db', '*'].filter((name) =>
    name === '*' ? pattern.endsWith('*') : pattern.includes(`:${name}`),
  )
  const statuses = [...new Set([400, 401, 403, 429, 503, ...errors])].sort() as (keyof typeof errorMeanings)[]
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(named.length > 0 && {
      params: objectOf(Object.fromEntries(named.map((name) => [name, pathParameters[name]!]))),
    }),
    ...(query !== undefined && {
      querystring: { ...parametersOf(query), ...(tag === 'replication' && { checkedBy: 'protocol' }) },
    }),
    ...(headers !== undefined && { headers: parametersOf(headers) }),
    ...(body !== undefined && { body: { content: contentOf(body) } }),
    response: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
      ...Object.fromEntries(
        statuses.map((status) => [
          status,
          {
            description: errorMeanings[status],
            content: { [mediaTypes.json]: { schema: { $ref: 'Failure#' } } },
          },
        ]),
      ),
    },
  } as FastifySchema
}

/** One without a body is of type null, as the generator has it. */
function answerOf({ description, content }: Answer): Schema {
  if (content === undefined) return { description, type: 'null' }
  const described = Object.entries(content).map(([type, schema]) => [type, { schema }] as const)
  return { description, content: contentOf(Object.fromEntries(described)) }
}

function objectOf(properties: Readonly<Record<string, unknown>>): Schema {
  return { type: 'object', properties }
}

function parametersOf(parameters: Readonly<Record<string, Parameter>>): Schema {
  const required = Object.keys(parameters).filter((name) => parameters[name]!.required)
  const properties = Object.entries(parameters).map(([name, { description, schema, example }]) => [
    name,
    { type: 'string', ...schema, description, ...(example !== undefined && { examples: [example] }) },
  ])
  return { ...objectOf(Object.fromEntries(properties)), ...(required.length > 0 && { required }) }
}

function contentOf(content: Readonly<Record<string, Content>>): Schema {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => [
      type,
      { schema: example === undefined ? schema : { ...schema, examples: [example] } },
    ]),
  )
}
