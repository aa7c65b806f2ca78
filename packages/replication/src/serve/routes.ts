import { mediaTypes, routes, subpaths, wireLimits } from '../protocol/names.js'
import { checked } from './checked.js'
import { answerInfo } from './info.js'
import { answerFetch, answerHeld, answerMissing } from './leaves.js'
import { answerPull } from './pull.js'
import { answerPush } from './push.js'
import { answerOwed, answerRanges } from './ranges.js'
import type { ReadRequest } from './served.js'
import { answerPushedShards, answerShards } from './shards.js'

/** What may be asked of a database that is there. */
export interface ProtocolRoute {
  readonly method: 'GET' | 'POST'
  /** As in `routes`. */
  readonly pattern: string
  /** The one type of body that it takes; without, it takes none. */
  readonly takes?: { readonly type: (typeof mediaTypes)[keyof typeof mediaTypes]; readonly bytesMax: number }
  /** Whether it changes the database. */
  readonly writes?: true
  /** Whether it is as much work as a shard to make or take apart: a server bounds how often at a time. */
  readonly shards: boolean
  readonly read: ReadRequest
}

const shard = { type: mediaTypes.shard, bytesMax: wireLimits.requestBytes }
const shards = { type: mediaTypes.shards, bytesMax: wireLimits.requestBytes }
const message = { type: mediaTypes.message, bytesMax: wireLimits.messageBytes }

/** What answers `PUT /v1/:db`, once the database is there. */
export const answerCreated: ReadRequest = checked({ method: 'PUT', subpath: subpaths.database }, answerInfo)

/**
 * All that is asked of one database and answered at once. Making a database, the list of them and the live stream are
 * apart.
 */
export const protocolRoutes: readonly ProtocolRoute[] = [
  route('GET', 'database', { shards: false, read: answerInfo }),
  route('GET', 'records', { shards: true, read: answerPull }),
  route('POST', 'records', { takes: shard, writes: true, shards: true, read: answerPush }),
  route('POST', 'missing', { takes: message, shards: false, read: answerMissing }),
  route('POST', 'held', { takes: message, shards: true, read: answerHeld }),
  route('POST', 'fetch', { takes: message, shards: true, read: answerFetch }),
  route('POST', 'ranges', { takes: message, shards: true, read: answerRanges }),
  route('GET', 'owed', { shards: true, read: answerOwed }),
  route('GET', 'shards', { shards: true, read: answerShards }),
  route('POST', 'shards', { takes: shards, writes: true, shards: true, read: answerPushedShards }),
]

function route(
  method: ProtocolRoute['method'],
  place: keyof typeof subpaths,
  rest: Omit<ProtocolRoute, 'method' | 'pattern'>,
): ProtocolRoute {
  const read = checked({ method, subpath: subpaths[place] }, rest.read)
  return { ...rest, method, pattern: routes[place], read }
}
