import { Readable, type Transform } from 'node:stream'
import { constants, createGzip, gzip } from 'node:zlib'
import { mediaTypes } from '@mynah/replication/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { acceptsGzip, addVary } from './negotiate.js'

/** Shorter answers fit into one packet anyway. */
const WORTH_BYTES = 1_024
/** Fast rather than small: what is kept small for long are shards, which are compressed already. */
const LEVEL = 4

const types = new Set<string>([
  mediaTypes.json,
  mediaTypes.lines,
  mediaTypes.message,
  'text/plain',
  'text/html',
])

/**
 * Compresses answers for who takes gzip. What is live says `no-transform`, as nothing of it is to wait, and what says so
 * is left alone. The `ETag` stays: it names a revision, whatever its bytes are, and `Vary` keeps caches from mixing them.
 */
export function compressAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload?: unknown) => void,
): void {
  if (!isWorth(reply, payload)) return done(null, payload)
  addVary(reply, 'accept-encoding')
  if (!acceptsGzip(request.headers['accept-encoding'])) return done(null, payload)
  reply.header('content-encoding', 'gzip')
  reply.removeHeader('content-length')
  if (payload instanceof Readable) return done(null, zipped(payload))
  gzip(payload, { level: LEVEL }, done)
}

function isWorth(reply: FastifyReply, payload: unknown): payload is string | Uint8Array | Readable {
  const isStream = payload instanceof Readable
  if (!isStream && typeof payload !== 'string' && !(payload instanceof Uint8Array)) return false
  if (!isStream && payload.length < WORTH_BYTES) return false
  if (reply.statusCode === 304 || reply.hasHeader('content-encoding')) return false
  if (String(reply.getHeader('cache-control')).includes('no-transform')) return false
  return types.has(String(reply.getHeader('content-type')).split(';', 1)[0]!.trim())
}

/** Each piece leaves as it comes, so that a slow answer is not held up by what is not full yet. */
function zipped(source: Readable): Transform {
  const sink = createGzip({ level: LEVEL, flush: constants.Z_SYNC_FLUSH })
  source.once('error', (error) => sink.destroy(error))
  sink.once('close', () => source.destroy())
  return source.pipe(sink)
}
