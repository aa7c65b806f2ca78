import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A bare connection, for what no client library would send. */
export class RawConnection {
  readonly #socket: Socket
  #received = ''
  #changed: (() => void) | undefined

  constructor(origin: string) {
    const { hostname, port } = new URL(origin)
    this.#socket = connect(Number(port), hostname)
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (chunk: string) => {
      this.#received += chunk
      this.#changed?.()
    })
    // A reset is an end like any other here.
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => this.#changed?.())
    onTestFinished(() => void this.#socket.destroy())
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Ends it at once. */
  close(): void {
    this.#socket.destroy()
  }

  /** All that was received, once it matches or the connection has ended. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received) && !this.#socket.closed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    return this.#received
  }

  /** All that was received until the other side ended. */
  async ended(): Promise<string> {
    return await this.until(/$never/)
  }
}

/** One request on a connection of its own; `lines` are the request line and headers besides the usual. */
export async function exchange(
  origin: string,
  ...lines: readonly string[]
): Promise<{ readonly status: number; readonly body: string }> {
  const connection = new RawConnection(origin)
  connection.send(`${[...lines, `host: ${new URL(origin).host}`, 'connection: close'].join('\r\n')}\r\n\r\n`)
  const answer = await connection.ended()
  const end = answer.indexOf('\r\n\r\n')
  return { status: Number(answer.slice(9, 12)), body: answer.slice(end + 4) }
}
