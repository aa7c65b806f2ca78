import type { Document, ListOptions, Outcome } from '@mynah/core'
import { encodeError, MessageInvalidError, mediaTypes, routes, wireLimits } from '@mynah/replication/protocol'
import { failureOf, type Query, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import type { ServedDatabase } from '../access/limited-database.js'
import { refuseOtherMethods } from '../http/failures.js'
import { negotiate } from '../http/negotiate.js'
import { flagOf, numberOf, textOf } from '../http/query.js'
import { documentOf, isOfType, type Representation, representationFor, utf8 } from '../http/representation.js'
import { serverLimits } from '../limits.js'
import { documentTypes, sendRef } from './documents.js'
import { belowRoot, type DatabaseRequest, needs, type RouteOptions, sendWhole, takeBytes } from './scope.js'

/** Documents by the page, and new ones. */
export const collectionRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, { databases, budget }) => {
  const url = belowRoot(routes.collection)
  fastify.get<DatabaseRequest>(url, needs('read'), async (request, reply) => {
    const range = rangeOf(request.query)
    const representation = representationFor(request, reply)
    const { database } = await databases.get(request)
    return await sendWhole(reply, representation.type, await page(database, range, representation), budget)
  })
  await fastify.register(async (scope) => {
    const types = [...documentTypes, mediaTypes.lines]
    takeBytes(scope, { types, bytesMax: wireLimits.requestBytes }, budget)
    scope.post<DatabaseRequest>(url, needs('write'), async (request, reply) => {
      const { query, headers, body } = request
      const overwrite = flagOf(query, 'overwrite')
      const type = headers['content-type']
      if (isOfType(type, mediaTypes.lines)) {
        negotiate(request, reply, [mediaTypes.lines])
        const { database } = await databases.get(request)
        const outcomes = await putLines(database, utf8(body), overwrite)
        return await sendWhole(reply, mediaTypes.lines, outcomes, budget)
      }
      const representation = representationFor(request, reply)
      const { database } = await databases.get(request)
      const ref = await database.put(documentOf(body, type), { overwrite })
      return await sendRef(reply, ref, representation)
    })
  })
  refuseOtherMethods(fastify, url, ['GET', 'POST'])
}

function rangeOf(query: Query): ListOptions & { readonly limit: number } {
  const range: { [name: string]: string } = {}
  for (const name of ['prefix', 'gt', 'gte', 'lt', 'lte']) {
    const text = textOf(query, name)
    if (text !== undefined) range[name] = text
  }
  const missing = textOf(query, 'missing') ?? 'skip'
  if (missing !== 'skip' && missing !== 'fetch')
    throw new MessageInvalidError('query', 'missing is skip or fetch')
  const limit = numberOf(query, 'limit', wireLimits.documents) ?? serverLimits.listedDocuments
  return { ...range, missing, reverse: flagOf(query, 'reverse'), limit }
}

/** `{ docs, next }`: the next page is asked for with `next` as `gt`, or as `lt` in reverse; absent at the end. */
async function page(
  database: ServedDatabase,
  { limit, ...range }: ListOptions & { limit: number },
  representation: Representation,
): Promise<string | Uint8Array> {
  const docs: (string | Uint8Array)[] = []
  let length = 0
  let last = ''
  for await (const doc of database.list(range)) {
    if (docs.length === limit || length >= wireLimits.listBytes) return representation.page(docs, last)
    const written = representation.write(doc)
    docs.push(written)
    length += written.length
    last = doc.id
  }
  return representation.page(docs, undefined)
}

/** One outcome a line: `{"ok":true,"id":…,"rev":…}` or `{"ok":false,"code":…,"message":…}`. Empty lines are none. */
async function putLines(database: ServedDatabase, text: string, overwrite: boolean): Promise<string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length > wireLimits.documents)
    throw new RequestRefusedError('MYNAH_REQUEST_TOO_LARGE', `More than ${wireLimits.documents} documents`)
  const parsed = lines.map((line): Document | MessageInvalidError => {
    try {
      return documentOf(new TextEncoder().encode(line), mediaTypes.json)
    } catch (error) {
      if (error instanceof MessageInvalidError) return error
      throw error
    }
  })
  const documents = parsed.filter((one): one is Document => !(one instanceof MessageInvalidError))
  const outcomes = (await database.putMany(documents, { overwrite })).values()
  return parsed
    .map((one) => {
      const outcome: Outcome<Document> =
        one instanceof MessageInvalidError ? { ok: false, error: one } : outcomes.next().value!
      if (outcome.ok)
        return `{"ok":true,${JSON.stringify({ id: outcome.doc.id, rev: outcome.doc.rev }).slice(1)}\n`
      return `{"ok":false,${encodeError(failureOf(outcome.error)).slice(1)}\n`
    })
    .join('')
}
