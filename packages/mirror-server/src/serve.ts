import { access, constants, mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { MynahError } from '@mynah/core'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Databases } from './databases.js'
import { createServer } from './server.js'
import { TokenStore } from './tokens/token-store.js'

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
  /** Mirrors that peers are told of; undefined: those of `mirrorOf`. */
  readonly advertise: readonly string[] | undefined
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
  const data = resolve(options.data)
  await makeFolder(data)
  await requireGuard(data, options)
  const { server, databases } = await create(data, options, logger)
  stopOnSignals(server, logger)
  try {
    const names = await openAll(databases, options)
    const address = await listen(server, options)
    const list = names.length === 0 ? 'no databases yet' : names.join(', ')
    logger.info(`mirror ready at ${address}, data in ${data}: ${list}`)
  } catch (error) {
    await server.close()
    throw error
  }
}

/** Nobody but this machine reaches a mirror that no token guards. */
async function requireGuard(data: string, { token, host }: ServeOptions): Promise<void> {
  if (token !== undefined || isLoopback(host)) return
  const ids = await new TokenStore(data).ids()
  if (ids !== undefined && ids.length > 0) return
  throw new StartError(
    `Without a token everybody who reaches ${host} could read and write. Set MYNAH_TOKEN, or listen on 127.0.0.1.`,
  )
}

async function create(data: string, options: ServeOptions, logger: Logger): ReturnType<typeof createServer> {
  const { token, mirrorOf, mirrorOfToken, advertise } = options
  try {
    return await createServer({
      data,
      logger: logger.child({}, { level: 'warn' }),
      mirrorOf: mirrorOf.map((url) => ({
        url,
        ...(mirrorOfToken !== undefined && { token: mirrorOfToken }),
      })),
      ...(token !== undefined && { token }),
      ...(advertise !== undefined && { advertise }),
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
async function openAll(databases: Databases, options: ServeOptions): Promise<string[]> {
  for (const name of options.create) {
    await databases.create(name).catch((error: unknown) => {
      throw startError(name, error, options)
    })
  }
  const lines: string[] = []
  for (const name of await databases.names()) {
    try {
      const { database } = await databases.get(name)
      lines.push(`${name} (${(await database.count()).toLocaleString('en')} documents)`)
    } catch (error) {
      if (!(error instanceof MynahError)) throw error
      if (error.code === 'MYNAH_LOCKED') throw startError(name, error, options)
      if (error.code !== 'MYNAH_DATABASE_UNKNOWN') lines.push(`${name} (does not open: ${error.code})`)
    }
  }
  return lines
}

function startError(name: string, error: unknown, options: ServeOptions): unknown {
  if (!(error instanceof MynahError)) return error
  if (error.code === 'MYNAH_LOCKED') {
    return new StartError(
      `${resolve(options.data)} is in use: another process has the database ${name} open. Stop it, or choose another --data.`,
    )
  }
  return new StartError(
    `The database ${JSON.stringify(name)} could not be made: ${error.message} (${error.code})`,
  )
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
