import type { Change, ChangesOptions, Document, Env } from '@mynah/core'
import { checkOptions } from '@mynah/core/replica'
import { MirrorUnreachableError } from '../errors.js'
import { decodeChange } from '../protocol/document-answers.js'
import { mediaTypes, wireLimits } from '../protocol/names.js'
import type { DocumentsClient } from './documents-client.js'

const NEWLINE = 10

/**
 * The changes of a mirror's database. Without `live` they end with the mirror's; else with the connection, as
 * `MirrorUnreachableError`, also when the mirror is silent for too long: the last cursor is where to go on from.
 */
export async function* remoteChanges<T extends object = Document>(
  client: DocumentsClient,
  env: Env,
  options: ChangesOptions,
): AsyncGenerator<Change<T>> {
  client.requireOpen()
  checkOptions('changes', options)
  // No mirror is asked for none.
  if (options.limit !== undefined && options.limit <= 0) return
  const silence = new AbortController()
  const request = {
    method: 'GET',
    path: `/changes?${queryOf(options)}`,
    type: mediaTypes.lines,
    // What a lost cursor is told by.
    id: options.since ?? '',
    signals: [silence.signal, options.signal],
  } as const
  const silent = () =>
    silence.abort(new MirrorUnreachableError(client.address, `nothing came for ${wireLimits.silenceMs} ms`))
  let timer = env.setTimer(silent, wireLimits.silenceMs)
  try {
    for await (const line of linesOf(client, client.stream(request))) {
      timer.cancel()
      timer = env.setTimer(silent, wireLimits.silenceMs)
      if (line === '') continue
      const change = client.decoded(200, () => decodeChange<T>(line))
      if ('code' in change) throw client.failure(change, 200, {})
      // How long the reader takes is not the mirror's silence.
      timer.cancel()
      yield change
      client.requireOpen()
      timer = env.setTimer(silent, wireLimits.silenceMs)
    }
  } finally {
    timer.cancel()
  }
  if (options.live && options.limit === undefined)
    throw new MirrorUnreachableError(client.address, 'the changes ended')
}

function queryOf({ since, live, documents, prefix, limit }: ChangesOptions): URLSearchParams {
  const query = new URLSearchParams({ live: String(live === true), documents: String(documents === true) })
  if (since !== undefined) query.set('since', since)
  if (prefix !== undefined) query.set('prefix', prefix)
  if (limit !== undefined) query.set('limit', String(limit))
  return query
}

/** Lines without their ends; one may be as long as an answer. */
async function* linesOf(client: DocumentsClient, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end))
      yield textOf(parts)
      parts = []
      length = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    length += chunk.length - start
    if (length > wireLimits.shardBytes)
      throw client.garbled(`a line of more than ${wireLimits.shardBytes} bytes`)
  }
}

function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder()
  return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode()
}
