import type { Writable } from 'node:stream'
import type { Env, Timer } from '@mynah/core'
import type { Position } from '@mynah/core/replica'
import { encodeLiveLine, wireLimits } from '@mynah/replication/protocol'
import { serverLimits } from '../limits.js'

/**
 * Tells one reader the newest position, at once when it is idle:
 *
 *             tell: write                 rest over, nothing pending
 *      idle ───────────────► resting ─────────────────────────────────► idle
 *                              │  ▲ rest over, pending: write
 *                              └──┘
 *   A write that the reader does not take blocks all further ones until it has drained. Meanwhile, and while resting,
 *   only the newest position is kept: a slow reader costs one position and what the socket holds.
 */
export class LiveStream {
  #pending: Position | undefined
  #blocked = false
  #resting = false
  #stopped = false
  #rest: Timer | undefined
  #heartbeat: Timer | undefined

  constructor(
    readonly sink: Writable,
    readonly env: Env,
  ) {
    sink.once('close', () => this.#stop())
    this.#beat()
  }

  tell(position: Position): void {
    this.#pending = position
    this.#flush()
  }

  /** Ends the stream, after what was written. */
  end(): void {
    this.#stop()
    this.sink.end()
  }

  #flush(): void {
    if (this.#pending === undefined || this.#blocked || this.#resting || this.#stopped) return
    const line = encodeLiveLine(this.#pending)
    this.#pending = undefined
    this.#resting = true
    this.#rest = this.env.setTimer(() => {
      this.#resting = false
      this.#flush()
    }, serverLimits.liveRestMs)
    this.#write(line)
  }

  #beat(): void {
    this.#heartbeat = this.env.setTimer(() => {
      // A blocked socket that gets nothing more is dropped by its idle timeout.
      if (!this.#blocked) this.#write('\n')
      this.#beat()
    }, wireLimits.heartbeatMs)
  }

  #write(text: string): void {
    if (this.sink.write(text)) return
    this.#blocked = true
    this.sink.once('drain', () => {
      this.#blocked = false
      this.#flush()
    })
  }

  #stop(): void {
    this.#stopped = true
    this.#rest?.cancel()
    this.#heartbeat?.cancel()
    this.#pending = undefined
  }
}
