import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Env, Timer } from '@mynah/core'
import { serverLimits } from '../limits.js'

/** A connection, and the last request that came on it. */
interface Watched {
  readonly socket: Socket
  request: IncomingMessage
  answer: ServerResponse
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
  readonly #watched = new Map<Socket, Watched>()
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
    const watched = this.#watched.get(socket)
    if (watched === undefined) {
      const sinceMs = this.#env.monotonicMs()
      this.#watched.set(socket, { socket, request, answer, bytes: moved(socket), sinceMs })
      socket.once('close', () => this.#watched.delete(socket))
      return
    }
    // One that is asked while another is answered gives neither of them more time.
    if (watched.answer.closed) {
      watched.bytes = moved(socket)
      watched.sinceMs = this.#env.monotonicMs()
    }
    watched.request = request
    watched.answer = answer
  }

  #later(): void {
    this.#timer = this.#env.setTimer(() => {
      const now = this.#env.monotonicMs()
      for (const one of this.#watched.values()) this.#look(one, now)
      this.#later()
    }, serverLimits.stalledLookMs)
  }

  #look(one: Watched, now: number): void {
    const bytes = moved(one.socket)
    if (!isMoving(one) || bytes - one.bytes >= serverLimits.stalledBytes) {
      one.bytes = bytes
      one.sinceMs = now
    } else if (now - one.sinceMs >= serverLimits.stalledMs) one.socket.destroy()
  }
}

/** Whether a body is awaited, or an answer waits to be taken. */
function isMoving({ request, socket, answer }: Watched): boolean {
  if (answer.closed) return false
  return !request.complete || socket.writableLength > 0 || answer.writableLength > 0
}

/** Bytes that came, and that left this process. */
function moved(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength
}
