import type { AddressClass } from './address-class.js'

/** What is asked of a mirror. */
export interface TransportRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** An answer longer than this rejects. Does not count for streams. */
  readonly answerBytesMax: number
  readonly signal: AbortSignal
  /** Called with the bytes of the answer's body as they come, also of one that is cut off. Not for streams. */
  readonly onBytes?: (bytes: number) => void
  /**
   * Where it may go: to addresses of these classes only; anywhere, without. To be held against the very address that is
   * connected to, as a name may lead elsewhere each time that it is looked up.
   */
  readonly within?: readonly AddressClass[]
}

/** An answer that is here as a whole. */
export interface TransportAnswer {
  readonly status: number
  /** Names in lower case; of repeated ones the first. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** An answer that has begun. */
export interface TransportStream {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Ends or throws with the connection; leaving it ends the connection. */
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * The network under replication. Any answer is an answer, whatever its status; redirects are not followed. Rejects,
 * with any error, when there is none: no connection, cut off, too slow, too long, or aborted.
 */
export interface Transport {
  request(request: TransportRequest): Promise<TransportAnswer>
  /** An answer that is read as it comes, without end. Silence is for the caller to notice. */
  stream(request: TransportRequest): Promise<TransportStream>
  /** Cuts what is open. */
  close(): Promise<void>
}
