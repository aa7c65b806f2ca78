import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Env, Timer } from '@mynah/core'
import { serverLimits } from './limits.js'

interface Watched {
  readonly socket: Socket
  readonly request: IncomingMessage
  readonly answer: ServerResponse
  /** Bytes that had moved when it was last found to move, and when that was. */
  bytes: number
  sinceMs: number
}

/**
 * Drops connections that send a request's body, or take an answer, slower than any network: who does so holds memory of
 * the server's, and costs nothing to be. Node's own limits know a whole request, and silence, and are for large bodies
 * too long. Where nothing is to be moved, because the server is at work or a feed is quiet, nothing is asked of it.
 */
export class StalledConnections {
  readonly #env: Pick<Env, 'setTimer' | 'monotonicMs'>
  readonly #watched = new Set<Watched>()
  #timer: Timer | undefined

  constructor(env: Pick<Env, 'setTimer' | 'monotonicMs'>) {
    this.#env = env
  }

  watch(server: Server): void {
    server.on('request', (request, answer) => this.#add(request, answer))
    this.#later()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #add(request: IncomingMessage, answer: ServerResponse): void {
    const { socket } = request
    const watched: Watched = { socket, request, answer, bytes: 0, sinceMs: this.#env.monotonicMs() }
    watched.bytes = moved(watched)
    this.#watched.add(watched)
    answer.once('close', () => this.#watched.delete(watched))
  }

  #later(): void {
    this.#timer = this.#env.setTimer(() => {
      const now = this.#env.monotonicMs()
      for (const one of this.#watched) this.#look(one, now)
      this.#later()
    }, serverLimits.stalledLookMs)
  }

  #look(one: Watched, now: number): void {
    const bytes = moved(one)
    if (!isMoving(one) || bytes - one.bytes >= serverLimits.stalledBytes) {
      one.bytes = bytes
      one.sinceMs = now
    } else if (now - one.sinceMs >= serverLimits.stalledMs) one.socket.destroy()
  }
}

/** Whether a body is awaited, or an answer waits to be taken. */
function isMoving({ request, socket, answer }: Watched): boolean {
  return !request.complete || socket.writableLength > 0 || answer.writableLength > 0
}

/** Bytes that came, and that left this process. */
function moved({ socket }: Watched): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength
}
