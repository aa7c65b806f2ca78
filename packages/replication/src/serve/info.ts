import { encodeInfo } from '../protocol/messages.js'
import { protocolVersion, wireLimits } from '../protocol/names.js'
import type { TransportAnswer } from '../transport/transport.js'
import { jsonAnswer } from './body.js'
import { queryPositions } from './query.js'
import type { Answer, RequestParts } from './served.js'

/** What a mirror is and has: `GET /v1`. */
export function answerRoot(databases: readonly string[], version: string): TransportAnswer {
  return jsonAnswer(JSON.stringify({ name: 'mynah', version, protocol: protocolVersion, databases }))
}

/** What a database is, and which positions its history holds: `GET` and `PUT /v1/:db`. */
export function answerInfo({ query }: RequestParts): Answer {
  const asked = queryPositions(query, 'holds', wireLimits.holds)
  return async ({ name, database, replica, prefixes, mirrors = [] }) => {
    const reach = prefixes === undefined ? { documents: await database.count() } : { prefixes }
    const owes = replica.mode === 'mirror' ? await replica.owedCount() : undefined
    return jsonAnswer(
      encodeInfo({
        name,
        id: replica.id,
        mode: replica.mode,
        protocol: protocolVersion,
        position: replica.position(),
        ...reach,
        ...(owes === undefined ? {} : { owes }),
        limits: { requestBytes: wireLimits.requestBytes, batchRecords: wireLimits.batchRecords },
        mirrors: mirrors.slice(0, wireLimits.mirrors),
        ...(asked === undefined ? {} : { holds: asked.map((position) => replica.holds(position)) }),
      }),
    )
  }
}
