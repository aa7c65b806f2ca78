import { type Documents, type Env, nodeEnv } from '@mynah/core'
import { decodeInfo } from '../protocol/messages.js'
import { httpTransport } from '../transport/http-transport.js'
import { bearerToken, mirrorAddress } from '../transport/mirror-address.js'
import type { Transport } from '../transport/transport.js'
import { DocumentsClient } from './documents-client.js'
import { RemoteDocuments } from './remote-documents.js'

/** How a mirror is reached. */
export interface ConnectOptions {
  readonly token?: string
  /** Ends the first contact. */
  readonly signal?: AbortSignal
  /** Default HTTP by undici. */
  readonly transport?: Transport
  /** Clock, randomness and timers. Default: Node's. */
  readonly env?: Env
}

/**
 * A mirror's database over HTTP, with the methods of a local one. Each call is a request: nothing is kept here, and
 * nothing works without a network; a program that has to goes by `open` and `replicate`. Resolves when the mirror has
 * answered.
 * @param url a mirror's address, as in `http://host:8800/v1/sensors`
 * @throws TypeError for what is no mirror's address, or no token; MirrorUnreachableError, MirrorAnswerError, DatabaseUnknownError
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Documents> {
  const { token, signal, transport = httpTransport(), env = nodeEnv } = options
  if (token !== undefined) bearerToken(token)
  const client = new DocumentsClient(mirrorAddress(url), { transport, token })
  try {
    const text = await client.text({ method: 'GET', path: '', signals: [signal] })
    client.decoded(200, () => decodeInfo(text))
  } catch (error) {
    await client.close()
    throw error
  }
  return new RemoteDocuments(client, env)
}
