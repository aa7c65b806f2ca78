export type { Query } from './protocol/query.js'
export {
  DatabaseUnavailableError,
  type Failure,
  type FailureCode,
  failureAnswer,
  failureOf,
  PreconditionFailedError,
  RequestRefusedError,
} from './serve/failures.js'
export { type Follow, type Following, follow, followed } from './serve/follow.js'
export { IdPrefixes } from './serve/id-prefixes.js'
export { answerRoot } from './serve/info.js'
export { answerFetch, answerHeld, answerMissing } from './serve/leaves.js'
export { forbidden, LimitedReplica } from './serve/limited-replica.js'
export { type LiveOptions, liveLines } from './serve/live.js'
export { answerPull } from './serve/pull.js'
export { answerPush } from './serve/push.js'
export { answerOwed, answerRanges } from './serve/ranges.js'
export { type ServedMirror, type ServedRequest, serveRequest, serveStream } from './serve/request.js'
export { answerCreated, type ProtocolRoute, protocolRoutes } from './serve/routes.js'
export type {
  Answer,
  ReadRequest,
  RequestParts,
  Served,
  ServedDatabases,
  ServedReplica,
} from './serve/served.js'
