import { Readable } from 'node:stream'
import { type Env, MynahError } from '@mynah/core'
import { encodeError, mediaTypes, wireLimits } from '@mynah/replication/protocol'
import { failureOf, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyReply } from 'fastify'
import { clientOf } from '../access/client.js'
import type { ByteBudget } from '../bounds/byte-budget.js'
import { addVary } from './negotiate.js'

/** Shorter texts are not counted: a socket holds as much by itself. */
export const COUNTED_TEXT = 64 * 1024

/** How an item, a sign of life and an error are written. */
export interface Lines<T> {
  readonly type: string
  readonly item: (item: T) => string
  readonly alive: string
  readonly error: (json: string) => string
}

/** A line of JSON each. */
export function jsonLines<T>(json: (item: T) => string): Lines<T> {
  return {
    type: mediaTypes.lines,
    item: (item) => `${json(item)}\n`,
    alive: '\n',
    error: (failure) => `${failure}\n`,
  }
}

/** How lines are written, and what they may take. */
export interface LinesOptions<T> {
  readonly lines: Lines<T>
  readonly env: Env
  readonly budget: ByteBudget
  /** Each piece is to leave at once, and nothing in between may hold it up. */
  readonly live: boolean
}

/** Answers a HEAD with the headers of what `sendLines` would send. */
export function sendHead(reply: FastifyReply, type: string, live: boolean): FastifyReply {
  if (!live) addVary(reply, 'accept-encoding')
  return withHeaders(reply, type, live).send()
}

function withHeaders(reply: FastifyReply, type: string, live: boolean): FastifyReply {
  return reply.type(type).header('cache-control', live ? 'no-store, no-transform' : 'no-store')
}

/**
 * Sends items as lines, as they come, with a sign of life while there are none. `items` gets what ends
 * them: the client, when it has gone, or who else has a reason. What fails when the answer has begun is its last line.
 */
export function sendLines<T>(
  reply: FastifyReply,
  items: (over: AbortController) => AsyncIterable<T>,
  { lines, env, budget, live }: LinesOptions<T>,
): FastifyReply {
  const over = new AbortController()
  reply.raw.once('close', () => over.abort())
  const text = counted(written(items(over), { lines, env, live }, over.signal), lines, {
    budget,
    client: clientOf(reply.request),
  })
  return withHeaders(reply, lines.type, live).send(
    Readable.from(text, { objectMode: false, highWaterMark: 64 * 1024 }),
  )
}

async function* written<T>(
  items: AsyncIterable<T>,
  { lines, env, live }: Omit<LinesOptions<T>, 'budget'>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    // The head leaves with the first piece: who follows a quiet database is to know that it does.
    if (live) yield lines.alive
    for (let next = iterator.next(); ; ) {
      const result = await orAlive(next, env)
      if (result === undefined) {
        yield lines.alive
        continue
      }
      if (result.done === true) return
      yield lines.item(result.value)
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
async function* counted<T>(
  texts: AsyncIterable<string>,
  lines: Lines<T>,
  { budget, client }: { readonly budget: ByteBudget; readonly client: string },
): AsyncGenerator<string> {
  const held: (() => void)[] = []
  try {
    for await (const text of texts) {
      if (held.length === 2) held.shift()!()
      held.push(text.length > COUNTED_TEXT ? budget.take(text.length, client) : () => undefined)
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
