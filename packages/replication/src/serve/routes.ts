import { mediaTypes, routes, wireLimits } from '../protocol/names.js'
import { answerInfo } from './info.js'
import { answerFetch, answerMissing } from './leaves.js'
import { answerPull } from './pull.js'
import { answerPush } from './push.js'
import type { ReadRequest } from './served.js'

/** What may be asked of a database that is there. */
export interface ProtocolRoute {
  readonly method: 'GET' | 'POST'
  /** As in `routes`. */
  readonly pattern: string
  /** The one type of body that it takes; without, it takes none. */
  readonly takes?: { readonly type: (typeof mediaTypes)[keyof typeof mediaTypes]; readonly bytesMax: number }
  /** Whether it makes or takes a shard apart, which is much work: a server bounds how often at a time. */
  readonly shards: boolean
  readonly read: ReadRequest
}

const shard = { type: mediaTypes.shard, bytesMax: wireLimits.requestBytes }
const message = { type: mediaTypes.message, bytesMax: wireLimits.messageBytes }

/**
 * All that is asked of one database and answered at once. Making a database, the list of them and the live stream are
 * apart.
 */
export const protocolRoutes: readonly ProtocolRoute[] = [
  { method: 'GET', pattern: routes.database, shards: false, read: answerInfo },
  { method: 'GET', pattern: routes.records, shards: true, read: answerPull },
  { method: 'POST', pattern: routes.records, takes: shard, shards: true, read: answerPush },
  { method: 'POST', pattern: routes.missing, takes: message, shards: false, read: answerMissing },
  { method: 'POST', pattern: routes.fetch, takes: message, shards: true, read: answerFetch },
]
