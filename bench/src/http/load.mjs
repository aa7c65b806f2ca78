import { connect } from 'node:net'

/** One connection that sends a request as soon as the last one is answered, with as little of its own as can be. */
class Connection {
  #socket
  #head = ''
  #missing = -1
  #done
  #status = 0

  constructor(port, failed) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => this.#take(chunk))
    this.#socket.on('error', failed)
    this.#socket.on('close', () => failed(new Error('the server closed a connection')))
  }

  ask(bytes) {
    return new Promise((resolve) => {
      this.#done = resolve
      this.#socket.write(bytes)
    })
  }

  close() {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #take(chunk) {
    if (this.#missing < 0) {
      this.#head += chunk.latin1Slice()
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = /content-length: ([0-9]+)/i.exec(this.#head)
      if (length === null) throw new Error(`an answer without a length: ${this.#head.slice(0, end)}`)
      this.#status = Number(this.#head.slice(9, 12))
      this.#missing = Number(length[1]) - (this.#head.length - end - 4)
      this.#head = ''
    } else this.#missing -= chunk.length
    if (this.#missing > 0) return
    this.#missing = -1
    this.#done(this.#status)
  }
}

/** Requests a second, over so many connections for so long. `requestOf(n)` gives the bytes of the nth. */
export async function load(port, { connections, seconds, requestOf, statuses }) {
  let fail
  const failed = new Promise((_resolve, reject) => {
    fail = reject
  })
  failed.catch(() => undefined)
  const open = Array.from({ length: connections }, () => new Connection(port, fail))
  const begin = performance.now()
  const end = begin + seconds * 1_000
  let n = 0
  let done = 0
  const run = async (connection) => {
    while (performance.now() < end) {
      const status = await connection.ask(requestOf(n++))
      if (!statuses.includes(status)) throw new Error(`an answer with status ${status}`)
      done += 1
    }
  }
  try {
    await Promise.race([failed, Promise.all(open.map(run))])
    return done / ((performance.now() - begin) / 1_000)
  } finally {
    for (const connection of open) connection.close()
  }
}
