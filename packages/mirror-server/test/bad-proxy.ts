import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A bad way to a mirror: a TCP proxy that does what a test says, to each connection that comes. */
export class BadProxy {
  readonly #server: Server
  readonly #targetPort: number
  readonly #pairs = new Set<{ readonly inner: Socket; readonly outer: Socket }>()
  /** What is answered to each request in the mirror's place, until it is undefined: the whole of HTTP. */
  portal: string | undefined
  /** A connection that has carried so many bytes, both ways, is cut. */
  bytesMax = Number.POSITIVE_INFINITY
  /** Bytes that came, both ways. */
  bytes = 0
  connections = 0

  private constructor(targetPort: number) {
    this.#targetPort = targetPort
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Before the mirror at this address; ends with the test. */
  static async before(origin: string): Promise<BadProxy> {
    const proxy = new BadProxy(Number(new URL(origin).port))
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(async () => {
      proxy.cutAll()
      await new Promise((resolve) => proxy.#server.close(resolve))
    })
    return proxy
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends the connections that there are now. */
  cutAll(): void {
    for (const { inner, outer } of this.#pairs) {
      inner.destroy()
      outer.destroy()
    }
  }

  /** Lets the connections that there are now stand, and swallows what comes on them: half open, each way. */
  swallowAll(): void {
    for (const { inner, outer } of this.#pairs) {
      for (const socket of [inner, outer]) {
        socket.removeAllListeners('data')
        socket.removeAllListeners('end')
        socket.resume()
      }
    }
  }

  #accept(inner: Socket): void {
    this.connections += 1
    if (this.portal !== undefined) {
      const { portal } = this
      inner.on('error', () => {})
      inner.once('data', () => inner.end(portal))
      return
    }
    const outer = connect(this.#targetPort, '127.0.0.1')
    const pair = { inner, outer }
    this.#pairs.add(pair)
    let carried = 0
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      from.on('error', () => {})
      from.on('data', (chunk) => {
        carried += chunk.length
        this.bytes += chunk.length
        if (carried > this.bytesMax) {
          inner.destroy()
          outer.destroy()
        } else to.write(chunk)
      })
      from.on('end', () => to.end())
      from.on('close', () => this.#pairs.delete(pair))
    }
  }
}
