export type { AddressClass } from './address-class.js'
export type { OnConflict } from './conflict-merger.js'
export { type ConnectOptions, connect } from './connect.js'
export type { CopyStatus } from './copy-progress.js'
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
export type { Lookup } from './guarded-connect.js'
export { type HttpTransportOptions, httpTransport } from './http-transport.js'
export type { MirrorState } from './mirror.js'
export { mirrorAddress } from './mirror-address.js'
export { replicate } from './replicate.js'
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
} from './replication.js'
export type { Transport, TransportAnswer, TransportRequest, TransportStream } from './transport.js'
