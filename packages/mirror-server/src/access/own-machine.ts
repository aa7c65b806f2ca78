import { isIP } from 'node:net'
import { forbidden } from '@mynah/replication/serve'
import type { FastifyInstance } from 'fastify'
import type { Tokens } from './guard.js'

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/**
 * Where no token is needed, being on this machine is what lets somebody in, and a browser here runs pages of anybody.
 * Refuses what such a page asks for: by the origin that the browser tells, and by the name of the server, as a page of
 * `http://evil.example` may have that name lead to 127.0.0.1. A name without a dot is nobody's elsewhere.
 */
export function guardOwnMachine(
  server: FastifyInstance,
  tokens: Pick<Tokens, 'guarded'>,
  cors: readonly string[],
): void {
  // Then there is no page that may not ask, by whatever name.
  if (cors.includes('*')) return
  // Not async: what answers from memory would be made to wait.
  server.addHook('onRequest', ({ headers: { host = '', origin }, socket }, _reply, done) => {
    const { localAddress = '' } = socket
    if (tokens.guarded || !isLoopback(localAddress.replace(/^::ffff:/, ''))) return done()
    if (!isOwnName(host.replace(/:[0-9]*$/, '')))
      throw forbidden('A mirror without a token is asked by an address of this machine: http://127.0.0.1')
    if (origin !== undefined && !cors.includes(origin)) {
      if (origin !== `http://${host}` && origin !== `https://${host}`)
        throw forbidden('A mirror without a token answers to no page of another origin, but those of --cors')
    }
    done()
  })
}

function isOwnName(name: string): boolean {
  return !name.includes('.') || isIP(name) === 4 || name.endsWith('.localhost')
}
