import { Readable } from 'node:stream'
import { type Change, type ChangesOptions, CursorLostError, type Env, MynahError } from '@mynah/core'
import { parsePosition } from '@mynah/core/replica'
import { documentJson, encodeError, mediaTypes, routes, wireLimits } from '@mynah/replication/protocol'
import { failureOf, type Query, RequestRefusedError, type ServedReplica } from '@mynah/replication/serve'
import type { FastifyPluginAsync } from 'fastify'
import type { ByteBudget } from '../byte-budget.js'
import { refuseOtherMethods } from '../failures.js'
import { flagOf, numberOf, textOf } from '../query.js'
import { belowRoot, COUNTED_TEXT, type DatabaseRequest, needs, type RouteOptions } from './scope.js'

/** How a change, a sign of life and an error are written. */
interface Lines {
  readonly type: string
  readonly change: (change: Change) => string
  readonly alive: string
  readonly error: (json: string) => string
}

const plain: Lines = {
  type: mediaTypes.lines,
  change: (change) => `${changeJson(change)}\n`,
  alive: '\n',
  error: (json) => `${json}\n`,
}

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
const events: Lines = {
  type: mediaTypes.events,
  change: (change) => `id: ${change.cursor}\ndata: ${changeJson(change)}\n\n`,
  alive: ':\n\n',
  error: (json) => `event: error\ndata: ${json}\n\n`,
}

/** What changed, as lines of JSON or as server-sent events. */
export const changesRoutes: FastifyPluginAsync<RouteOptions> = async (fastify, options) => {
  const { databases, env, liveStreams, budget } = options
  const url = belowRoot(routes.changes)
  fastify.get<DatabaseRequest>(url, { exposeHeadRoute: false, ...needs('read') }, async (request, reply) => {
    const { query, headers } = request
    const last = headers['last-event-id']
    const asked = changesOf(query, typeof last === 'string' ? last : undefined)
    const { database, replica } = await databases.get(request)
    if (reply.raw.destroyed) return reply.hijack()
    requireCursor(replica, asked.since)
    const lines = (headers.accept ?? '').includes(mediaTypes.events) ? events : plain
    const over = new AbortController()
    const end = () => over.abort()
    reply.raw.once('close', end)
    if (asked.live) {
      liveStreams.add({ sink: reply.raw, end })
      // Its socket is of no further use, and would hold up a stop as an idle one.
      reply.header('connection', 'close')
    }
    const changes = database.changes({ ...asked, signal: over.signal })
    const text = counted(linesOf(changes, lines, env, over.signal), lines, budget)
    return await reply
      .type(lines.type)
      .header('cache-control', 'no-store')
      .send(Readable.from(text, { objectMode: false, highWaterMark: 64 * 1024 }))
  })
  refuseOtherMethods(fastify, url, ['GET'])
}

function changesOf(query: Query, lastEvent: string | undefined): ChangesOptions {
  const since = lastEvent ?? textOf(query, 'since')
  const prefix = textOf(query, 'prefix')
  const limit = numberOf(query, 'limit', Number.MAX_SAFE_INTEGER)
  return {
    live: flagOf(query, 'live'),
    documents: flagOf(query, 'documents'),
    ...(since !== undefined && { since }),
    ...(prefix !== undefined && { prefix }),
    ...(limit !== undefined && { limit }),
  }
}

/** Before the answer begins: then it has a status of its own. @throws CursorLostError */
function requireCursor(replica: ServedReplica, since: string | undefined): void {
  if (since === undefined || since === 'now') return
  const position = parsePosition(since)
  if (position === undefined || !replica.holds(position)) throw new CursorLostError(since)
}

function changeJson({ cursor, seq, id, rev, deleted, conflicts, doc }: Change): string {
  return documentJson({ cursor, seq, id, rev, deleted, conflicts, doc })
}

/** The changes as text, and a sign of life while there are none. What fails when the answer has begun is its last line. */
async function* linesOf(
  changes: AsyncIterable<Change>,
  lines: Lines,
  env: Env,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const iterator = changes[Symbol.asyncIterator]()
  try {
    for (let next = iterator.next(); ; ) {
      const result = await orAlive(next, env)
      if (result === undefined) {
        yield lines.alive
        continue
      }
      if (result.done === true) return
      yield lines.change(result.value)
      next = iterator.next()
    }
  } catch (error) {
    if (signal.aborted) return
    if (!(error instanceof MynahError)) throw error
    yield lines.error(encodeError(failureOf(error)))
  } finally {
    await iterator.return?.()
  }
}

/**
 * Counts long lines as held. When the next but one is asked for, a line has left: the answer takes one while its socket
 * has another.
 */
async function* counted(
  texts: AsyncIterable<string>,
  lines: Lines,
  budget: ByteBudget,
): AsyncGenerator<string> {
  const held: (() => void)[] = []
  try {
    for await (const text of texts) {
      if (held.length === 2) held.shift()!()
      held.push(text.length > COUNTED_TEXT ? budget.take(text.length) : () => undefined)
      yield text
    }
  } catch (error) {
    if (!(error instanceof RequestRefusedError)) throw error
    yield lines.error(encodeError(failureOf(error)))
  } finally {
    for (const release of held) release()
  }
}

/** Undefined when it is time for a sign of life. */
async function orAlive<T>(next: Promise<T>, env: Env): Promise<T | undefined> {
  let beat: () => void = () => undefined
  const silence = new Promise<undefined>((resolve) => {
    beat = () => resolve(undefined)
  })
  const timer = env.setTimer(beat, wireLimits.heartbeatMs)
  try {
    return await Promise.race([next, silence])
  } finally {
    timer.cancel()
  }
}
