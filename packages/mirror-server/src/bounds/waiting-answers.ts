import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Lets each answer tell its end. Whoever sends requests one behind another, without awaiting the answers, has those made
 * at the same time, and they wait for their turn; when the connection ends, Node says `close` to the first of them alone.
 * All that is held until an answer closes would be held for ever for the others.
 */
export function closeWaitingAnswers(server: Server): void {
  const made = new WeakMap<Socket, ServerResponse[]>()
  server.on('request', ({ socket }, answer) => {
    const waiting = made.get(socket) ?? begun(socket)
    // They end in their order.
    while (waiting[0]?.closed) waiting.shift()
    waiting.push(answer)
  })

  function begun(socket: Socket): ServerResponse[] {
    const waiting: ServerResponse[] = []
    made.set(socket, waiting)
    // After Node's own listener, which closes the answer whose turn it is.
    socket.once('close', () => {
      for (const answer of waiting) {
        if (answer.closed) continue
        answer.destroy()
        answer.emit('close')
      }
    })
    return waiting
  }
}
