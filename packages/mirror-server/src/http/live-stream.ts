import type { Writable } from 'node:stream'
import type { Env, Timer } from '@mynah/core'
import type { Position } from '@mynah/core/replica'
import { encodeLiveLine, wireLimits } from '@mynah/replication/protocol'
import type { Follow } from '@mynah/replication/serve'
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
 *
 * A sign of life says that there is nothing new: where something is, it is told in its place.
 */
export class LiveStream {
  #pending: Position | undefined
  #blocked = false
  #resting = false
  #stopped = false
  #rest: Timer | undefined
  #heartbeat: Timer | undefined
  #following: Follow | undefined

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

  /** Tells what this follows, until it ends. */
  heed(following: Follow): void {
    this.#following = following
    if (this.#stopped) following.stop()
  }

  /** Ends the stream, after what was written. */
  end(): void {
    this.#stop()
    this.sink.end()
  }

  #flush(): void {
    if (!this.#resting) this.#writePending()
  }

  #writePending(): void {
    if (this.#pending === undefined || this.#blocked || this.#stopped) return
    const line = encodeLiveLine(this.#pending)
    this.#pending = undefined
    this.#resting = true
    this.#rest?.cancel()
    this.#rest = this.env.setTimer(() => {
      this.#resting = false
      this.#flush()
    }, serverLimits.liveRestMs)
    this.#write(line)
  }

  #beat(): void {
    this.#heartbeat = this.env.setTimer(() => {
      if (this.#following === undefined) this.#tellLife()
      else this.#following.settled(() => this.#tellLife())
      this.#beat()
    }, wireLimits.heartbeatMs)
  }

  #tellLife(): void {
    // A blocked socket that gets nothing more is dropped by its idle timeout.
    if (this.#blocked || this.#stopped) return
    if (this.#pending === undefined) this.#write('\n')
    else this.#writePending()
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
    this.#following?.stop()
    this.#rest?.cancel()
    this.#heartbeat?.cancel()
    this.#pending = undefined
  }
}
