import { ConflictError, type Document, DocumentInvalidError, type Ref } from '@mynah/core'
import {
  documentJson,
  MessageInvalidError,
  mediaTypes,
  routes,
  wireLimits,
} from '@mynah/replication/protocol'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedDatabase } from '../access/limited-database.js'
import { documentOf } from '../document-body.js'
import { refuseOtherMethods } from '../failures.js'
import { flagOf, textOf } from '../query.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendText, takeBytes } from './scope.js'

interface DocumentRequest extends DatabaseRequest {
  Params: { readonly db: string; readonly '*': string }
}

/** Documents one by one. The id is the rest of the path, decoded. */
export const documentRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, { databases, budget }) => {
  const url = belowRoot(routes.documents)
  fastify.get<DocumentRequest>(url, needs('read'), async (request, reply) => {
    const { params, query, headers } = request
    const { database } = await databases.get(request)
    const rev = textOf(query, 'rev')
    const details = flagOf(query, 'details')
    const read = await database.read(params['*'], {
      strict: details ? flagOf(query, 'strict') : rev === undefined,
      ...(rev !== undefined && { rev }),
    })
    if (details) {
      const { doc, current, asOf, deleted, conflicts } = read
      const told = documentJson({ doc, current, asOf, deleted, conflicts })
      return await sendText(reply, mediaTypes.json, told, budget)
    }
    if (read.doc === undefined) throw absent(read.deleted && rev === undefined)
    reply.header('etag', `"${read.doc.rev}"`)
    if (namesRev(headers['if-none-match'], read.doc.rev)) return await reply.code(304).send()
    return await sendText(reply, mediaTypes.json, documentJson(read.doc), budget)
  })

  await fastify.register(async (scope) => {
    takeBytes(scope, { type: mediaTypes.json, bytesMax: wireLimits.requestBytes }, budget)
    scope.put<DocumentRequest>(url, needs('write'), async (request, reply) => {
      const { params, query, headers, body } = request
      const { database } = await databases.get(request)
      const id = params['*']
      const doc = documentOf(body)
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
          ? await replace(database, { ...doc, id }, rev)
          : await database.put({ ...doc, id }, { overwrite })
      return await sendRef(reply, ref, ref.rev.startsWith('1-') ? 201 : 200)
    })
  })

  fastify.delete<DocumentRequest>(url, needs('write'), async (request, reply) => {
    const { params, query, headers } = request
    const { database } = await databases.get(request)
    const id = params['*']
    const rev = revOf(headers['if-match']) ?? textOf(query, 'rev')
    const ref = await database.delete(rev === undefined ? id : { id, rev })
    if (ref === undefined) throw absent(false)
    return await sendRef(reply, ref, 200)
  })
  refuseOtherMethods(fastify, url, ['GET', 'PUT', 'DELETE'])
}

/** What a write answers: the document's id and rev. */
export function sendRef(reply: FastifyReply, { id, rev }: Ref, status: 200 | 201): FastifyReply {
  reply.code(status).header('etag', `"${rev}"`)
  if (status === 201) reply.header('location', `${collectionOf(reply.request)}/${encodeURIComponent(id)}`)
  return reply.type(mediaTypes.json).send(JSON.stringify({ id, rev }))
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
    if (before?.rev !== rev) throw new ConflictError(doc.id, before?.rev)
    return members
  })
  return stored!
}

/** The one rev that `If-Match` names. @throws MessageInvalidError */
function revOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const rev = /^\s*"([0-9A-Za-z-]+)"\s*$/.exec(header)?.[1]
  if (rev === undefined) throw new MessageInvalidError('request', 'If-Match names one rev, in quotes')
  return rev
}

/** Whether the document must be new. @throws MessageInvalidError */
function isNew(header: string | undefined): boolean {
  if (header !== undefined && header.trim() !== '*')
    throw new MessageInvalidError('request', 'If-None-Match of a write is *')
  return header !== undefined
}

/** Whether `If-None-Match` names the rev: a list of tags, weak or not, or `*`. */
function namesRev(header: string | undefined, rev: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((tag) => {
    const trimmed = tag.trim()
    return trimmed === '*' || trimmed.replace(/^W\//, '') === `"${rev}"`
  })
}

function absent(deleted: boolean): RequestRefusedError {
  return deleted
    ? new RequestRefusedError('MYNAH_DOCUMENT_DELETED', 'The document is deleted')
    : new RequestRefusedError('MYNAH_DOCUMENT_UNKNOWN', 'There is no such document')
}
