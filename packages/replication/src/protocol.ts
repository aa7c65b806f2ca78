export { DatabaseNameInvalidError, DatabaseUnknownError, MessageInvalidError } from './errors.js'
export { answerChecksum, type Question, requestChecksum } from './protocol/checksum.js'
export { documentJson, parseDocumentJson } from './protocol/document-json.js'
export { documentMsgpack, parseDocumentMsgpack } from './protocol/document-msgpack.js'
export {
  type DatabaseInfo,
  decodeError,
  decodeFetch,
  decodeHeld,
  decodeInfo,
  decodeLeaves,
  decodeLiveLine,
  decodeMissing,
  decodeOwed,
  decodePushAnswer,
  type ErrorMessage,
  encodeError,
  encodeFetch,
  encodeHeld,
  encodeInfo,
  encodeLeaves,
  encodeLiveLine,
  encodeMissing,
  encodeOwed,
  encodePushAnswer,
  type FetchItem,
  type PushAnswer,
  type PushException,
} from './protocol/messages.js'
export {
  headers,
  isDatabaseName,
  mediaTypes,
  protocolVersion,
  recordCodes,
  routes,
  subpaths,
  wireLimits,
} from './protocol/names.js'
export { parsePosition, positionText } from './protocol/position.js'
export {
  type AskedRange,
  decodeAskedRanges,
  decodeToldRanges,
  encodeAskedRanges,
  encodeToldRanges,
  type ToldId,
  type ToldRange,
  type ToldRanges,
  type WireSum,
  wirePrint,
} from './protocol/ranges.js'
export { decodeShardsAnswer, encodeShards, encodeShardsAnswer, type ShardsAnswer } from './protocol/shards.js'
