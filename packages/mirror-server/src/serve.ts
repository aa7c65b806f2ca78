import { access, constants, mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { decodeError, decodeInfo, routes } from '@mynah/replication/protocol'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createMirror } from './server.js'

export interface ServeOptions {
  /** Folder of the databases. */
  readonly data: string
  /** 0 for any that is free. */
  readonly port: number
  readonly host: string
  /** Databases to make where they are not there yet. */
  readonly create: readonly string[]
  readonly token: string | undefined
  /** Mirrors to be one of, each with the token of `mirrorOfToken`. */
  readonly mirrorOf: readonly string[]
  readonly mirrorOfToken: string | undefined
}

/** A reason not to start that the user can do something about; its message is all that needs to be said. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/**
 * Runs a mirror until a signal stops it: the first one gracefully, the second at once.
 * @throws StartError
 */
export async function serve(options: ServeOptions, logger: Logger): Promise<void> {
  if (options.token === undefined && !isLoopback(options.host)) {
    throw new StartError(
      `Without a token everybody who reaches ${options.host} could read and write. Set MYNAH_TOKEN, or listen on 127.0.0.1.`,
    )
  }
  const data = resolve(options.data)
  await makeFolder(data)
  const server = await create(data, options, logger)
  stopOnSignals(server, logger)
  try {
    const databases = await openAll(server, options)
    const address = await listen(server, options)
    const list = databases.length === 0 ? 'no databases yet' : databases.join(', ')
    logger.info(`mirror ready at ${address}, data in ${data}: ${list}`)
  } catch (error) {
    await server.close()
    throw error
  }
}

async function create(data: string, options: ServeOptions, logger: Logger): Promise<FastifyInstance> {
  const { token, mirrorOf, mirrorOfToken } = options
  try {
    return await createMirror({
      data,
      logger: logger.child({}, { level: 'warn' }),
      mirrorOf: mirrorOf.map((url) => ({
        url,
        ...(mirrorOfToken !== undefined && { token: mirrorOfToken }),
      })),
      ...(token !== undefined && { token }),
    })
  } catch (error) {
    if (error instanceof TypeError) throw new StartError(error.message)
    throw error
  }
}

async function makeFolder(data: string): Promise<void> {
  try {
    await mkdir(data, { recursive: true })
    await access(data, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StartError(`${data} cannot be the folder of the databases: ${(error as Error).message}`)
  }
}

/** Opens every database now, so that what is wrong shows at the start; gives what to say of each. */
async function openAll(server: FastifyInstance, options: ServeOptions): Promise<string[]> {
  const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  const ask = (method: 'GET' | 'PUT', name: string) =>
    server.inject({ method, url: `${routes.root}/${encodeURIComponent(name)}`, headers })

  for (const name of options.create) {
    const answer = await ask('PUT', name)
    if (answer.statusCode >= 400) throw startError(name, answer.body, options)
  }
  const root = await server.inject({ url: routes.root, headers })
  const lines: string[] = []
  for (const name of root.json<{ databases: string[] }>().databases) {
    const answer = await ask('GET', name)
    if (answer.statusCode === 200) {
      lines.push(`${name} (${decodeInfo(answer.body).documents.toLocaleString('en')} documents)`)
    } else if (answer.statusCode !== 404) {
      const { code } = decodeError(answer.body)
      if (code === 'MYNAH_LOCKED') throw startError(name, answer.body, options)
      lines.push(`${name} (does not open: ${code})`)
    }
  }
  return lines
}

function startError(name: string, body: string, options: ServeOptions): StartError {
  const { code, message } = decodeError(body)
  if (code === 'MYNAH_LOCKED') {
    return new StartError(
      `${resolve(options.data)} is in use: another process has the database ${name} open. Stop it, or choose another --data.`,
    )
  }
  return new StartError(`The database ${JSON.stringify(name)} could not be made: ${message} (${code})`)
}

async function listen(server: FastifyInstance, { port, host }: ServeOptions): Promise<string> {
  try {
    return await server.listen({ port, host })
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EADDRINUSE':
        throw new StartError(`Port ${port} on ${host} is taken by another program. Choose another --port.`)
      case 'EACCES':
        throw new StartError(`This user may not listen on port ${port}. Choose a --port above 1023.`)
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new StartError(`This machine has no address ${host}. Choose another --host.`)
      default:
        throw error
    }
  }
}

function stopOnSignals(server: FastifyInstance, logger: Logger): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1)
    stopping = true
    logger.info(`${signal}: finishing what is in flight; once more to stop at once`)
    server.close().then(
      () => {
        logger.info('mirror stopped')
        process.exit(0)
      },
      (error: unknown) => {
        logger.error({ err: error }, 'mirror stopped, but not cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}
