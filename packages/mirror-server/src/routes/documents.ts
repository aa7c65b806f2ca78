import { ConflictError, type Document, DocumentInvalidError, type Ref } from '@mynah/core'
import { MessageInvalidError, mediaTypes, routes, wireLimits } from '@mynah/replication/protocol'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedDatabase } from '../access/limited-database.js'
import { type Conditions, hasConditions, namesTag, requireConditions } from '../http/conditions.js'
import { refuseOtherMethods } from '../http/failures.js'
import { flagOf, textOf } from '../http/query.js'
import { documentOf, type Representation, representationFor } from '../http/representation.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendWhole, takeBytes } from './scope.js'

/** What a document is written as. */
export const documentTypes = [mediaTypes.json, mediaTypes.message]

/** A request about one document. */
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
    if (headers['if-match'] !== undefined)
      requireConditions({ 'if-match': headers['if-match'] }, read.doc.rev)
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
      const overwrite = flagOf(query, 'overwrite')
      const isConditional = hasConditions(headers)
      if (overwrite && isConditional)
        throw new MessageInvalidError('query', 'overwrite is in any case, and there is a condition')
      const ref = isConditional
        ? await replace(database, { ...doc, id }, headers)
        : await database.put({ ...doc, id }, { overwrite })
      return await sendRef(reply, ref, { type, write })
    })
  })

  fastify.delete<DocumentRequest>(url, needs('write'), async (request, reply) => {
    const { params, query, headers } = request
    const { type, write } = representationFor(request, reply)
    const { database } = await databases.get(request)
    const id = params['*']
    const rev = textOf(query, 'rev')
    const ref = hasConditions(headers)
      ? await remove(database, rev === undefined ? { id } : { id, rev }, headers)
      : await database.delete(rev === undefined ? id : { id, rev })
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
 * Puts the document in the place of exactly the winner that the conditions name. Not as a put with a rev does it: of two who
 * write the same on the same revision only one succeeds, as a precondition promises.
 */
async function replace(
  database: ServedDatabase,
  doc: Document & { readonly id: string },
  conditions: Conditions,
): Promise<Ref> {
  const { rev: given, ...members } = doc
  if (given !== undefined && !(typeof given === 'string' && namesTag(conditions['if-match'], given)))
    throw new DocumentInvalidError('rev', 'is not that of If-Match, or no new document has one')
  const stored = await database.update(doc.id, (before) => {
    requireRevision(conditions, { id: doc.id, rev: before?.rev })
    if (given !== undefined && given !== before?.rev) throw new ConflictError(doc.id, before?.rev)
    return members
  })
  return stored!
}

/** Deletes exactly the winner that the conditions, and the rev, name; undefined where there is none. */
async function remove(
  database: ServedDatabase,
  { id, rev }: { readonly id: string; readonly rev?: string },
  conditions: Conditions,
): Promise<Ref | undefined> {
  const { doc } = await database.read(id)
  requireRevision(conditions, { id, rev: doc?.rev })
  if (doc === undefined) return undefined
  if (rev !== undefined && rev !== doc.rev) throw new ConflictError(id, doc.rev)
  return await database.delete({ id, rev: doc.rev })
}

/**
 * As `requireConditions`, but that a rev in `If-Match` which is not the current one is what it is in a body: a conflict.
 * @throws ConflictError, PreconditionFailedError
 */
function requireRevision(conditions: Conditions, { id, rev }: { id: string; rev: string | undefined }): void {
  const match = conditions['if-match']
  const namesRevs = match !== undefined && match.trim() !== '*'
  if (namesRevs && (rev === undefined || !namesTag(match, rev))) throw new ConflictError(id, rev)
  requireConditions(conditions, rev)
}

/** Why there is no document to answer. */
export function absent(deleted: boolean): RequestRefusedError {
  return deleted
    ? new RequestRefusedError('MYNAH_DOCUMENT_DELETED', 'The document is deleted')
    : new RequestRefusedError('MYNAH_DOCUMENT_UNKNOWN', 'There is no such document')
}
