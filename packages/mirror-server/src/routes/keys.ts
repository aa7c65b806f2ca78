import { type Document, REMOVE, type Stored } from '@mynah/core'
import { acceptId } from '@mynah/core/replica'
import {
  DatabaseUnknownError,
  documentJson,
  MessageInvalidError,
  mediaTypes,
  routes,
  wireLimits,
} from '@mynah/replication/protocol'
import { type Query, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { Access, Reached } from '../access/access.js'
import type { ServedDatabase } from '../access/limited-database.js'
import { hasConditions, namesTag, requireConditions } from '../http/conditions.js'
import { refuseOtherMethods } from '../http/failures.js'
import { negotiate } from '../http/negotiate.js'
import { numberOf, textOf } from '../http/query.js'
import { serverLimits } from '../limits.js'
import { needs, type RouteOptions, sendWhole, takeBytes } from './scope.js'

/** The database that the keys are in: replicated, backed up and authorised like any other. */
const KEYS_DATABASE = 'kv'

const DEFAULT_TYPE = 'application/octet-stream'

/** How a value is stored: a document whose id is the key. */
type Entry = {
  readonly type: string
  readonly value: Uint8Array
  /** How often the key was written since it is there, so that a write of the same value is a write. */
  readonly writes: number
}

interface KeyRequest {
  Params: { readonly '*': string }
  Querystring: Query
}

/**
 * Values of any kind by key. They may come from anybody who has a token, so a browser is told to run nothing of them as
 * if it were this server's own.
 */
export const keyRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, budget } = options
  fastify.get<{ Querystring: Query }>(routes.keys, needs('read'), async (request, reply) => {
    negotiate(request, reply, [mediaTypes.json])
    const range = rangeOf(request.query)
    const opened = await present(databases, request as FastifyRequest)
    const told = documentJson(opened === undefined ? { keys: [] } : await page(opened.database, range))
    return await sendWhole(reply, mediaTypes.json, told, budget)
  })
  refuseOtherMethods(fastify, routes.keys, ['GET'])

  fastify.get<KeyRequest>(routes.key, needs('read'), async (request, reply) => {
    const key = acceptId(request.params['*'])
    const entry = entryOf(
      (await (await present(databases, request as FastifyRequest))?.database.read(key))?.doc,
    )
    if (entry === undefined) throw unknownKey()
    reply.header('etag', `"${entry.rev}"`).header('vary', 'accept-encoding')
    const { headers } = request
    if (headers['if-match'] !== undefined) requireConditions({ 'if-match': headers['if-match'] }, entry.rev)
    if (namesTag(headers['if-none-match'], entry.rev)) return await reply.code(304).send()
    reply.header('x-content-type-options', 'nosniff')
    reply.header('content-security-policy', "sandbox; default-src 'none'")
    return await sendWhole(reply, entry.type, Buffer.from(entry.value), budget)
  })

  await fastify.register(async (scope) => {
    takeBytes(scope, { types: ['*'], bytesMax: serverLimits.valueBytes }, budget)
    const write: RouteHandlerMethod = async (request, reply) => {
      const { params, body } = request as FastifyRequest<KeyRequest>
      const key = acceptId(params['*'])
      const type = typeOf(request.headers['content-type'])
      const { headers } = request
      hasConditions(headers)
      // Nothing is made for a write that is refused.
      if ((await present(databases, request)) === undefined) requireConditions(headers, undefined)
      const { opened } = await databases.create(request, KEYS_DATABASE, key)
      const value = body instanceof Uint8Array ? body : new Uint8Array(0)
      let isNew = false
      const stored = await opened.database.update<Entry>(key, (before) => {
        requireConditions(headers, before?.rev)
        isNew = before === undefined
        return { type, value, writes: (before?.writes ?? 0) + 1 }
      })
      if (isNew) reply.code(201).header('location', keyUrl(request, key))
      return await sendStamp(reply, opened, stored!)
    }
    scope.put(routes.key, needs('write'), write)
    scope.post(routes.key, needs('write'), write)
  })

  fastify.delete<KeyRequest>(routes.key, needs('write'), async (request, reply) => {
    const key = acceptId(request.params['*'])
    const { headers } = request
    hasConditions(headers)
    const opened = await present(databases, request as FastifyRequest)
    let wasThere = false
    await opened?.database.update<Entry>(key, (before) => {
      requireConditions(headers, before?.rev)
      wasThere = before !== undefined
      return before === undefined ? undefined : REMOVE
    })
    if (opened === undefined || !wasThere) throw unknownKey()
    return await sendStamp(reply, opened, { id: key })
  })
  refuseOtherMethods(fastify, routes.key, ['GET', 'PUT', 'POST', 'DELETE'])
}

/** The database of the keys; undefined before the first was written. */
async function present(databases: Access, request: FastifyRequest): Promise<Reached | undefined> {
  try {
    return await databases.get(request, KEYS_DATABASE)
  } catch (error) {
    if (error instanceof DatabaseUnknownError) return undefined
    throw error
  }
}

/** `{"ok":true,"versionstamp":…}`: the seq of the write, 20 hex digits, so that it grows as text too. */
async function sendStamp(
  reply: FastifyReply,
  { database, replica }: Reached,
  { id, rev }: { readonly id: string; readonly rev?: string },
): Promise<FastifyReply> {
  const seq = await seqOf(database, replica, id, rev)
  if (rev !== undefined) reply.header('etag', `"${rev}"`)
  const versionstamp = seq.toString(16).padStart(20, '0')
  return reply.type(mediaTypes.json).send(JSON.stringify({ ok: true, versionstamp }))
}

/** Of the write; where a later one of the same key was followed by a compaction already, the newest seq of all. */
async function seqOf(
  database: ServedDatabase,
  replica: Reached['replica'],
  id: string,
  rev: string | undefined,
): Promise<number> {
  for await (const version of database.history(id))
    if (rev === undefined ? version.deleted : version.rev === rev) return version.seq
  return replica.position().seq
}

function typeOf(header: string | undefined): string {
  if (header === undefined || header.trim() === '') return DEFAULT_TYPE
  if (header.length > serverLimits.contentTypeCharacters)
    throw new RequestRefusedError('MYNAH_REQUEST_INVALID', 'The content type is too long')
  return header
}

function entryOf(doc: Stored<Document> | undefined): (Stored<Document> & Entry) | undefined {
  if (doc === undefined) return undefined
  const { type, value, writes } = doc
  // It is a database like any other: somebody may have put a document of another shape there.
  if (typeof type !== 'string' || !(value instanceof Uint8Array) || typeof writes !== 'number')
    return undefined
  return { ...doc, type: /^[\t\x20-\x7e]+$/.test(type) ? type : DEFAULT_TYPE, value, writes }
}

function rangeOf(query: Query): { readonly prefix?: string; readonly gt?: string; readonly limit: number } {
  const prefix = textOf(query, 'prefix')
  const gt = textOf(query, 'gt')
  if (gt === '') throw new MessageInvalidError('query', 'gt is a key')
  return {
    ...(prefix !== undefined && { prefix }),
    ...(gt !== undefined && { gt }),
    limit: numberOf(query, 'limit', wireLimits.documents) ?? serverLimits.listedKeys,
  }
}

/** `{ keys: [{ key, type, bytes, rev }], next }`, in order of the keys' UTF-8 bytes. */
async function page(
  database: ServedDatabase,
  { limit, ...range }: ReturnType<typeof rangeOf>,
): Promise<{ keys: { key: string; type: string; bytes: number; rev: string }[]; next?: string }> {
  const keys: { key: string; type: string; bytes: number; rev: string }[] = []
  let bytes = 0
  for await (const doc of database.list(range)) {
    if (keys.length === limit || bytes >= serverLimits.listedValueBytes)
      return { keys, next: keys.at(-1)!.key }
    const entry = entryOf(doc)
    if (entry === undefined) continue
    keys.push({ key: entry.id, type: entry.type, bytes: entry.value.length, rev: entry.rev })
    bytes += entry.value.length
  }
  return { keys }
}

/** Where the key is, also where the mirror lives below another path. */
function keyUrl({ routeOptions }: FastifyRequest, key: string): string {
  return routeOptions.url!.replace('*', encodeURIComponent(key))
}

function unknownKey(): RequestRefusedError {
  return new RequestRefusedError('MYNAH_KEY_UNKNOWN', 'There is nothing at this key')
}
