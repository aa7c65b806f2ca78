export { jsonAnswer } from './serve/body.js'
export {
  DatabaseUnavailableError,
  type Failure,
  type FailureCode,
  failureAnswer,
  failureOf,
  RequestRefusedError,
} from './serve/failures.js'
export { answerInfo, answerRoot } from './serve/info.js'
export { answerFetch, answerMissing } from './serve/leaves.js'
export { type LiveOptions, liveLines } from './serve/live.js'
export { answerPull } from './serve/pull.js'
export { answerPush } from './serve/push.js'
export type { Query } from './serve/query.js'
export { type ServedMirror, type ServedRequest, serveRequest, serveStream } from './serve/request.js'
export { type ProtocolRoute, protocolRoutes } from './serve/routes.js'
export type { Answer, ReadRequest, RequestParts, Served, ServedDatabases } from './serve/served.js'
