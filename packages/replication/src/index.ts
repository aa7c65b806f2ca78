export type { OnConflict } from './application/conflict-merger.js'
export { replicate } from './application/replicate.js'
export type {
  Explanation,
  MirrorStatus,
  MirrorWord,
  Rejection,
  ReplicateOptions,
  Replication,
  ReplicationEvents,
  ReplicationStatus,
  SyncedOptions,
  SyncReport,
} from './application/replication.js'
export { type ConnectOptions, connect } from './connect/connect.js'
export {
  DatabaseNameInvalidError,
  DatabaseUnknownError,
  MessageInvalidError,
  MirrorAnswerError,
  MirrorRefusedError,
  MirrorsTooFewError,
  MirrorUnreachableError,
  RejectedError,
  ReplicationRunningError,
  SameMirrorError,
} from './errors.js'
export type { CopyStatus } from './mirror/copy-progress.js'
export type { MirrorState } from './mirror/mirror.js'
export type { AddressClass } from './transport/address-class.js'
export type { Lookup } from './transport/guarded-connect.js'
export { type HttpTransportOptions, httpTransport } from './transport/http-transport.js'
export { mirrorAddress } from './transport/mirror-address.js'
export type { Transport, TransportAnswer, TransportRequest, TransportStream } from './transport/transport.js'
