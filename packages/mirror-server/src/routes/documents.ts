import { mediaTypes, routes } from '@mynah/replication/protocol'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import { documentJson } from '../document-json.js'
import { refuseOtherMethods } from '../failures.js'
import { belowRoot, type RouteOptions } from './scope.js'

/** Whether `If-None-Match` names the rev: a list of tags, weak or not, or `*`. */
function namesRev(header: string | undefined, rev: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((tag) => {
    const trimmed = tag.trim()
    return trimmed === '*' || trimmed.replace(/^W\//, '') === `"${rev}"`
  })
}

/** Documents one by one. The id is the rest of the path, decoded. */
export const documentRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, { databases }) => {
  const url = belowRoot(routes.documents)
  fastify.get<{ Params: { readonly db: string; readonly '*': string } }>(url, async (request, reply) => {
    const { database } = await databases.get(request.params.db)
    const { doc, deleted } = await database.read(request.params['*'], { strict: true })
    if (doc === undefined) {
      if (deleted) throw new RequestRefusedError('MYNAH_DOCUMENT_DELETED', 'The document is deleted')
      throw new RequestRefusedError('MYNAH_DOCUMENT_UNKNOWN', 'There is no such document')
    }
    reply.header('etag', `"${doc.rev}"`)
    if (namesRev(request.headers['if-none-match'], doc.rev)) return await reply.code(304).send()
    return await reply.type(mediaTypes.json).send(documentJson(doc))
  })
  refuseOtherMethods(fastify, url, ['GET'])
}
