import { access, constants, mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MynahError } from '@mynah/core'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { isLoopback } from '../access/own-machine.js'
import type { Settings } from '../config/settings.js'
import { StartError } from '../config/start-error.js'
import type { Databases } from '../databases/databases.js'
import { createServer } from '../server.js'
import { TokenStore } from '../tokens/token-store.js'

/**
 * Runs a mirror until a signal stops it: the first one gracefully, the second at once.
 * @throws StartError
 */
export async function runMirror(settings: Settings, logger: Logger): Promise<void> {
  if (settings.data === undefined)
    throw new StartError('Say where the databases are to be: --data, or MYNAH_DATA.')
  const data = resolve(settings.data)
  await makeFolder(data)
  await requireGuard(data, settings)
  const { server, databases } = await create(data, settings, logger)
  stopOnSignals(server, logger)
  try {
    const names = await openAll(databases, settings)
    const address = await listen(server, settings)
    const list = names.length === 0 ? 'no databases yet' : names.join(', ')
    logger.info(`mirror ready at ${address}, data in ${data}: ${list}`)
  } catch (error) {
    await server.close()
    throw error
  }
}

/** A shorter secret could be guessed by whoever reaches the mirror. */
const SECRET_CHARACTERS = 16

/** Nobody but this machine reaches a mirror that no token guards, or a weak one. @throws StartError */
export async function requireGuard(
  data: string,
  { token, host }: Pick<Settings, 'token' | 'host'>,
): Promise<void> {
  if (isLoopback(host)) return
  if (token !== undefined && token.length < SECRET_CHARACTERS) {
    throw new StartError(
      `MYNAH_TOKEN has ${token.length} characters: too few to listen on ${host}. Take ${SECRET_CHARACTERS} or more random ones.`,
    )
  }
  if (token !== undefined) return
  const ids = await new TokenStore(data).ids()
  if (ids !== undefined && ids.length > 0) return
  throw new StartError(
    `Without a token everybody who reaches ${host} could read and write. Set MYNAH_TOKEN, make a token (mynah token create), or listen on 127.0.0.1.`,
  )
}

async function create(data: string, settings: Settings, logger: Logger): ReturnType<typeof createServer> {
  const { token, mirrorOf, mirrorToken, advertise, logLevel, accessLog, tlsCert, tlsKey } = settings
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new StartError('TLS needs both: --tls-cert and --tls-key.')
  try {
    return await createServer({
      data,
      // Of what is as it should be, this file tells.
      logger: logLevel === 'info' ? logger.child({}, { level: 'warn' }) : logger,
      ...(accessLog && { accessLog: logger }),
      // Never what opens this mirror: a token goes to no origin that it was not given for.
      mirrorOf: mirrorOf.map((url) => ({
        url,
        ...(mirrorToken !== undefined && { token: mirrorToken }),
      })),
      ...(token !== undefined && { token }),
      ...(advertise !== undefined && { advertise }),
      ...(tlsCert !== undefined && tlsKey !== undefined && { tls: { cert: tlsCert, key: tlsKey } }),
      trustProxy: settings.trustProxy,
      cors: settings.cors,
      rateLimit: settings.rateLimit,
      reserveBytes: settings.reserve * 1024 * 1024,
      ...(settings.memory > 0 && { memoryBytes: settings.memory * 1024 * 1024 }),
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
async function openAll(databases: Databases, settings: Settings): Promise<string[]> {
  for (const name of settings.create) {
    await databases.create(name).catch((error: unknown) => {
      throw startError(name, error, databases.folder)
    })
  }
  const lines: string[] = []
  for (const name of await databases.names()) {
    try {
      const { database } = await databases.get(name)
      lines.push(`${name} (${(await database.count()).toLocaleString('en')} documents)`)
    } catch (error) {
      if (!(error instanceof MynahError)) throw error
      if (error.code === 'MYNAH_LOCKED') throw startError(name, error, databases.folder)
      if (error.code !== 'MYNAH_DATABASE_UNKNOWN') lines.push(`${name} (does not open: ${error.code})`)
    }
  }
  return lines
}

function startError(name: string, error: unknown, data: string): unknown {
  if (!(error instanceof MynahError)) return error
  if (error.code === 'MYNAH_LOCKED') {
    return new StartError(
      `${data} is in use: another process has the database ${name} open. Stop it, or choose another --data.`,
    )
  }
  return new StartError(
    `The database ${JSON.stringify(name)} could not be made: ${error.message} (${error.code})`,
  )
}

async function listen(server: FastifyInstance, { port, host }: Settings): Promise<string> {
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
