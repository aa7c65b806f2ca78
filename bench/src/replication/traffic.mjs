import { subscribe } from 'node:diagnostics_channel'

/** Counts what this process sends and receives on all sockets that it opens, headers included, and its HTTP requests. */
export function watchTraffic() {
  const sockets = []
  let requests = 0
  subscribe('net.client.socket', ({ socket }) => sockets.push(socket))
  // Node's own client, which PouchDB's fetch is made of, and undici, which Mynah uses.
  for (const channel of ['http.client.request.start', 'undici:request:create'])
    subscribe(channel, () => {
      requests += 1
    })
  return () => ({
    bytesUp: sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    bytesDown: sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    requests,
  })
}
