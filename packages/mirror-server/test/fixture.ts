import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, type Document, nodeEnv, open } from '@mynah/core'
import { decodeRecords, encodeRecords, type Replica, replicaOf } from '@mynah/core/replica'
import { decodePushAnswer, headers, mediaTypes, type PushAnswer } from '@mynah/replication/protocol'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { createMirror, type MirrorServerOptions } from '../src/index.js'

/** A folder of its own, gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-mirror-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

export interface Running {
  readonly server: FastifyInstance
  readonly data: string
  /** As in `http://127.0.0.1:12345`. */
  readonly origin: string
}

/** A mirror that listens on a free port of 127.0.0.1, with the named databases in it. */
export async function startMirror(
  names: readonly string[] = [],
  options: Partial<MirrorServerOptions> & { readonly port?: number } = {},
): Promise<Running> {
  const { port = 0, ...mirrorOptions } = options
  const data = options.data ?? (await temporaryFolder())
  const server = await createMirror({ ...mirrorOptions, data })
  onTestFinished(() => server.close())
  const origin = await server.listen({ port, host: '127.0.0.1' })
  const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  for (const name of names) await fetch(`${origin}/v1/${name}`, { method: 'PUT', headers: authorization })
  return { server, data, origin }
}

/** A peer in memory, with the documents in it. */
export async function startPeer(
  documents: readonly Document[] = [],
): Promise<{ readonly database: Database; readonly replica: Replica }> {
  const database = await open(':memory:')
  onTestFinished(() => database.close())
  for (const outcome of await database.putMany(documents)) if (!outcome.ok) throw outcome.error
  return { database, replica: replicaOf(database) }
}

/** All that the replica has to give, as the bytes of a push. */
export async function shardOf(replica: Replica): Promise<Uint8Array> {
  const { records } = await replica.feed({ since: 0, bodies: true, whole: true, bytes: 2 ** 40 })
  return await encodeRecords(records, nodeEnv)
}

/** Posts bytes as a push; `from` is the sender's id. */
export async function postRecords(
  address: string,
  shard: Uint8Array,
  { from = '0'.repeat(32), query = '' }: { readonly from?: string; readonly query?: string } = {},
): Promise<Response> {
  return await fetch(`${address}/records${query}`, {
    method: 'POST',
    headers: { 'content-type': mediaTypes.shard, [headers.database]: from },
    body: shard,
  })
}

/** Pushes all that the replica has. */
export async function push(address: string, replica: Replica): Promise<PushAnswer> {
  const response = await postRecords(address, await shardOf(replica), { from: replica.id })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return decodePushAnswer(new Uint8Array(await response.arrayBuffer()))
}

export async function recordsOf(response: Response): Promise<Awaited<ReturnType<typeof decodeRecords>>> {
  return await decodeRecords(new Uint8Array(await response.arrayBuffer()), nodeEnv)
}

/** The status and code of an error, after a check that the body is `{ code, message }` and what belongs to the code. */
export async function failureOf(response: Response): Promise<readonly [status: number, code: string]> {
  const body = (await response.json()) as { readonly code: string; readonly message: string }
  const more = { MYNAH_CONFLICT: ',rev', MYNAH_DOCUMENT_INVALID: ',path,detail' }[body.code] ?? ''
  if (Object.keys(body).join() !== `code,message${more}`) throw new Error(JSON.stringify(body))
  return [response.status, body.code]
}

/** Lines of a response as they come, without their ends. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 1)
    }
  }
}
