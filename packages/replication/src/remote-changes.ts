import type { Change, ChangesOptions, Document, Env } from '@mynah/core'
import type { DocumentsClient } from './documents-client.js'
import { MirrorUnreachableError } from './errors.js'
import { parseDocumentJson } from './protocol/document-json.js'
import { decodeError } from './protocol/messages.js'
import { mediaTypes, wireLimits } from './protocol/names.js'
import { ShapedAnswer } from './shaped-answer.js'

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
      const change = changeOf<T>(client, line)
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

function changeOf<T extends object>(client: DocumentsClient, line: string): Change<T> {
  const fail = (detail: string): never => {
    throw client.garbled(detail)
  }
  const shaped = new ShapedAnswer(
    client.decoded(200, () => parseDocumentJson(line)),
    fail,
  )
  if (shaped.member('code') !== undefined)
    throw client.failure(
      client.decoded(200, () => decodeError(line)),
      200,
      {},
    )
  const doc = shaped.member('doc')
  return {
    cursor: shaped.text('cursor'),
    seq: shaped.count('seq'),
    id: shaped.text('id'),
    rev: shaped.text('rev'),
    deleted: shaped.flag('deleted'),
    conflicts: shaped.texts('conflicts'),
    ...(doc !== undefined && { doc: new ShapedAnswer(doc, fail).document<T>() }),
  }
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
