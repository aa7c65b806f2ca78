import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from './random.js'

/** A TCP proxy that cuts connections after random numbers of bytes, while it is told to. */
export class CuttingProxy {
  readonly #server: Server
  readonly #random: Random
  readonly #sockets = new Set<Socket>()
  readonly #targetPort: number
  cutting = true
  /** Connections cut in the middle of what they carried. */
  cuts = 0

  private constructor(targetPort: number, random: Random) {
    this.#targetPort = targetPort
    this.#random = random
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async start(targetPort: number, random: Random): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort, random)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts what is open now. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cutAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(inner: Socket): void {
    const outer = connect(this.#targetPort, '127.0.0.1')
    // Bytes of both directions together; short and long ones are as likely.
    let left =
      this.cutting && this.#random.chance(0.85) ? Math.ceil(2 ** (this.#random.next() * 17)) : Infinity
    let cut = false
    for (const socket of [inner, outer]) {
      this.#sockets.add(socket)
      const other = socket === inner ? outer : inner
      socket.on('data', (bytes) => {
        if (cut) return
        const passed = bytes.subarray(0, left)
        left -= passed.length
        if (left > 0) {
          if (!other.write(passed)) socket.pause()
          return
        }
        cut = true
        this.cuts += 1
        socket.destroy()
        other.write(passed, () => other.destroy())
      })
      socket.on('drain', () => other.resume())
      socket.on('end', () => other.end())
      socket.on('error', () => other.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    }
  }
}
