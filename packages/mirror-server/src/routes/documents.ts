import { ConflictError, type Document, DocumentInvalidError, type Ref } from '@mynah/core'
import { MessageInvalidError, mediaTypes, routes, wireLimits } from '@mynah/replication/protocol'
import { PreconditionFailedError, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedDatabase } from '../access/limited-database.js'
import { refuseOtherMethods } from '../http/failures.js'
import { flagOf, textOf } from '../http/query.js'
import { documentOf, type Representation, representationFor } from '../http/representation.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendWhole, takeBytes } from './scope.js'

/** What a document is written as. */
export const documentTypes = [mediaTypes.json, mediaTypes.message]

export interface DocumentRequest extends DatabaseRequest {
  Params: { readonly db: string; readonly '*': string }
}

/** Documents one by one. The id is the rest of the path, decoded. */
export const documentRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, { databases, budget }) => {
  const url = belowRoot(routes.documents)
  fastify.get<DocumentRequest>(url, needs('read'), async (request, reply) => {
    const { params, query, headers } = request
    const { type, write } = representationFor(request, reply)
    const { database } = await databases.get(request)
    const rev = textOf(query, 'rev')
    const details = flagOf(query, 'details')
    const read = await database.read(params['*'], {
      strict: details ? flagOf(query, 'strict') : rev === undefined,
      ...(rev !== undefined && { rev }),
    })
    if (details) {
      const { doc, current, asOf, deleted, conflicts } = read
      return await sendWhole(reply, type, write({ doc, current, asOf, deleted, conflicts }), budget)
    }
    if (read.doc === undefined) throw absent(read.deleted && rev === undefined)
    reply.header('etag', `"${read.doc.rev}"`)
    if (headers['if-match'] !== undefined && !namesTag(headers['if-match'], read.doc.rev))
      throw new PreconditionFailedError('The document is in another revision', read.doc.rev)
    if (namesTag(headers['if-none-match'], read.doc.rev)) return await reply.code(304).send()
    return await sendWhole(reply, type, write(read.doc), budget)
  })

  await fastify.register(async (scope) => {
    takeBytes(scope, { types: documentTypes, bytesMax: wireLimits.requestBytes }, budget)
    scope.put<DocumentRequest>(url, needs('write'), async (request, reply) => {
      const { params, query, headers, body } = request
      const { type, write } = representationFor(request, reply)
      const { database } = await databases.get(request)
      const id = params['*']
      const doc = documentOf(body, headers['content-type'])
      if (doc.id !== undefined && doc.id !== id)
        throw new DocumentInvalidError('id', 'is not that of the path')
      const rev = revOf(headers['if-match'])
      const create = isNew(headers['if-none-match'])
      const overwrite = flagOf(query, 'overwrite')
      if ([overwrite, rev !== undefined, create].filter(Boolean).length > 1)
        throw new MessageInvalidError(
          'query',
          'only one of overwrite, If-Match and If-None-Match can be given',
        )
      const ref =
        create || rev !== undefined
          ? await replace(database, { ...doc, id }, create ? undefined : rev)
          : await database.put({ ...doc, id }, { overwrite })
      return await sendRef(reply, ref, { type, write })
    })
  })

  fastify.delete<DocumentRequest>(url, needs('write'), async (request, reply) => {
    const { params, query, headers } = request
    const { type, write } = representationFor(request, reply)
    const { database } = await databases.get(request)
    const id = params['*']
    const rev = revOf(headers['if-match']) ?? textOf(query, 'rev')
    const ref = await database.delete(rev === undefined ? id : { id, rev })
    if (ref === undefined) throw absent(false)
    return await sendRef(reply, ref, { type, write, status: 200 })
  })
  refuseOtherMethods(fastify, url, ['GET', 'PUT', 'DELETE'])
}

/** What a write answers: the document's id and rev. */
export function sendRef(
  reply: FastifyReply,
  { id, rev }: Ref,
  { type, write, status }: Pick<Representation, 'type' | 'write'> & { readonly status?: 200 },
): FastifyReply {
  const isNew = status === undefined && rev.startsWith('1-')
  reply.code(isNew ? 201 : 200).header('etag', `"${rev}"`)
  if (isNew) reply.header('location', `${collectionOf(reply.request)}/${encodeURIComponent(id)}`)
  return reply.type(type).send(write({ id, rev }))
}

/** `…/v1/db/docs` of a request to it or below it: of its route, as a database may be called `docs` too. */
function collectionOf({ routeOptions, params }: FastifyRequest): string {
  const { db } = params as DatabaseRequest['Params']
  return routeOptions.url!.replace(/\/\*$/, '').replace(':db', db)
}

/**
 * Puts the document in the place of exactly that winner, or of none. Not as a put with a rev does it: of two who write the same on
 * the same revision only one succeeds, as a precondition promises.
 */
async function replace(
  database: ServedDatabase,
  doc: Document & { readonly id: string },
  rev: string | undefined,
): Promise<Ref> {
  const { rev: given, ...members } = doc
  if (given !== undefined && given !== rev)
    throw new DocumentInvalidError('rev', 'is not that of If-Match, or no new document has one')
  const stored = await database.update(doc.id, (before) => {
    if (before?.rev === rev) return members
    if (rev === undefined) throw new PreconditionFailedError(`${doc.id} is there already`, before?.rev)
    throw new ConflictError(doc.id, before?.rev)
  })
  return stored!
}

/** The one rev that `If-Match` names. @throws MessageInvalidError */
function revOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const rev = /^\s*(?:W\/)?"([0-9A-Za-z-]+)"\s*$/.exec(header)?.[1]
  if (rev === undefined) throw new MessageInvalidError('request', 'If-Match names one rev, in quotes')
  return rev
}

/** Whether the document must be new. @throws MessageInvalidError */
function isNew(header: string | undefined): boolean {
  if (header !== undefined && header.trim() !== '*')
    throw new MessageInvalidError('request', 'If-None-Match of a write is *')
  return header !== undefined
}

/** Whether a condition names the tag: a list of them, weak or not, or `*`. */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => {
    const trimmed = one.trim()
    return trimmed === '*' || trimmed.replace(/^W\//, '') === `"${tag}"`
  })
}

/** Why there is no document to answer. */
export function absent(deleted: boolean): RequestRefusedError {
  return deleted
    ? new RequestRefusedError('MYNAH_DOCUMENT_DELETED', 'The document is deleted')
    : new RequestRefusedError('MYNAH_DOCUMENT_UNKNOWN', 'There is no such document')
}
