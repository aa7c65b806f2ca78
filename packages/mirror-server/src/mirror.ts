import { ClosedError, type Env, nodeEnv } from '@mynah/core'
import { routes } from '@mynah/replication/protocol'
import type { FastifyBaseLogger, FastifyInstance, FastifyPluginAsync } from 'fastify'
import { Access } from './access/access.js'
import { guard } from './access/guard.js'
import { describeRoutes, referenceRoutes } from './api/reference.js'
import { ByteBudget } from './bounds/byte-budget.js'
import { DiskGuard, guardDisk } from './bounds/disk-guard.js'
import { Gate } from './bounds/gate.js'
import { MemoryGuard, memoryUse } from './bounds/memory-guard.js'
import { closeWaitingAnswers } from './bounds/waiting-answers.js'
import { advertised } from './databases/advertised.js'
import { Databases } from './databases/databases.js'
import { type FollowedMirror, Follower } from './databases/follower.js'
import { compressAnswer } from './http/compress.js'
import { answerFailure, refuseRoute } from './http/failures.js'
import { LiveStreams } from './http/live-streams.js'
import { serverLimits } from './limits.js'
import { changesRoutes } from './routes/changes.js'
import { collectionRoutes } from './routes/collection.js'
import { databaseRoutes } from './routes/databases.js'
import { documentRoutes } from './routes/documents.js'
import { healthRoutes } from './routes/health.js'
import { inspectionRoutes } from './routes/inspection.js'
import { keyRoutes } from './routes/keys.js'
import { liveRoutes } from './routes/live.js'
import { maintenanceRoutes } from './routes/maintenance.js'
import { countRequests } from './routes/metrics.js'
import { answeredRoutes } from './routes/protocol.js'
import { type RouteOptions, takeNothing } from './routes/scope.js'
import { type GivenToken, TokenBook } from './tokens/token-book.js'
import { TokenStore } from './tokens/token-store.js'

/** What a mirror is made with. */
export interface MirrorOptions {
  /** The folder that holds a folder for each database; made when the first of them is. */
  readonly data: string
  /** A secret that may everything; the same as one of `tokens` with nothing but its text. */
  readonly token?: string
  /**
   * What opens this mirror, as `Authorization: Bearer`, besides the tokens in its folder (`mynah token`). Where there is
   * no token at all, it is open to whoever gets there.
   */
  readonly tokens?: readonly GivenToken[]
  /** Mirrors whose databases this one has too, kept equal each way. Default: none. */
  readonly mirrorOf?: readonly FollowedMirror[]
  /**
   * Mirrors that peers are told of, as those of `mirrorOf` are written: where they reach the others, and this one. Never
   * with a token. Default: those of `mirrorOf`.
   */
  readonly advertise?: readonly string[]
  /** Requests a minute that one token may make, or one address where none is needed. Default: 0, any number. */
  readonly rateLimit?: number
  /** Bytes that are kept free on the disk: with less room, what writes is refused with 507. Default: 64 MiB. */
  readonly reserveBytes?: number
  /** Bytes of memory that may be in use: beyond, requests are refused with 503. Default: most of what there is. */
  readonly memoryBytes?: number
  /** Clock, randomness and timers. Default: Node's. */
  readonly env?: Env
}

/** What a mirror keeps open. */
export interface MirrorParts {
  readonly databases: Databases
  readonly tokens: TokenBook
  readonly disk: DiskGuard
}

/** @throws TypeError for a given token that is none, or what is no mirror's address */
export function partsOf(options: MirrorOptions, log: Pick<FastifyBaseLogger, 'error'>): MirrorParts {
  if (typeof options.data !== 'string' || options.data === '')
    throw new TypeError('data must be the folder of the databases')
  const { data, token, tokens = [], env = nodeEnv, mirrorOf = [] } = options
  const mirrorsOf = advertised(options.advertise ?? mirrorOf.map(({ url }) => url))
  return {
    databases: new Databases(data, env, ({ code, message }) => log.error({ code }, message), mirrorsOf),
    disk: diskGuardOf(options, log),
    tokens: new TokenBook({
      store: new TokenStore(data),
      given: token === undefined ? tokens : [...tokens, { token }],
      env,
      onFault: (error) => log.error({ err: error }, 'a token, or the store of tokens, cannot be read'),
    }),
  }
}

function diskGuardOf(
  { data, reserveBytes = serverLimits.diskReserveBytes, env = nodeEnv }: MirrorOptions,
  log: Pick<FastifyBaseLogger, 'error'>,
): DiskGuard {
  const disk = new DiskGuard({ folder: data, reserveBytes, env })
  disk.onChange((full) =>
    log.error(
      full ? 'the disk is nearly full: nothing is written until there is room' : 'the disk has room again',
    ),
  )
  return disk
}

/**
 * A mirror as a fastify plugin, so that it can live inside an existing server. What it adds stays in its own scope:
 * parsers, hooks, error and 404 handlers.
 *
 * The server's own options are its host's affair: `routerOptions.maxParamLength` of at least 128 (a database's name),
 * timeouts, and `return503OnClosing: false` if the errors of a stop are to look like all others. `createMirror` sets them.
 */
export const mirror: FastifyPluginAsync<MirrorOptions> = async (fastify, options) => {
  await serveMirror(fastify, options, partsOf(options, fastify.log))
}

/** The plugin, with parts that others use too. */
export async function serveMirror(
  fastify: FastifyInstance,
  options: MirrorOptions,
  { databases, tokens, disk }: MirrorParts,
): Promise<void> {
  const env = options.env ?? nodeEnv
  const shared: RouteOptions = {
    databases: new Access(databases),
    env,
    budget: new ByteBudget(serverLimits.bodyBytesInFlight),
    shardGate: new Gate(serverLimits.shardsInWork),
    liveStreams: new LiveStreams(),
  }

  closeWaitingAnswers(fastify.server)
  databases.onDropped((name) => shared.liveStreams.endOf(name))
  fastify.addHook('onReady', () => databases.sweep())

  fastify.removeAllContentTypeParsers()
  takeNothing(fastify)
  fastify.setErrorHandler(answerFailure)
  fastify.addHook('onSend', compressAnswer)
  stopGracefully(fastify, databases, shared)
  await guard(fastify, tokens, options.rateLimit)
  new MemoryGuard(env, () => memoryUse(options.memoryBytes)).guard(fastify)
  guardDisk(fastify, disk)
  fastify.addHook('onReady', () => tokens.start())
  fastify.addHook('preClose', () => tokens.stop())
  const follower = follow(fastify, databases, disk, options)
  const metricsRoutes = countRequests(fastify, { ...shared, folder: databases.folder, follower })
  await describeRoutes(fastify)
  await referenceRoutes(fastify)
  await fastify.register(healthRoutes, { databases, disk })
  await fastify.register(metricsRoutes)
  await fastify.register(keyRoutes, shared)
  await fastify.register(
    async (scope) => {
      scope.setNotFoundHandler(refuseRoute)
      await scope.register(databaseRoutes, shared)
      await scope.register(answeredRoutes, shared)
      await scope.register(liveRoutes, shared)
      await scope.register(documentRoutes, shared)
      await scope.register(collectionRoutes, shared)
      await scope.register(changesRoutes, shared)
      await scope.register(inspectionRoutes, shared)
      await scope.register(maintenanceRoutes, shared)
    },
    { prefix: routes.root },
  )
}

/** Begins when the server is ready, and ends before its databases close. */
function follow(
  fastify: FastifyInstance,
  databases: Databases,
  disk: DiskGuard,
  { mirrorOf: mirrors = [], env = nodeEnv }: MirrorOptions,
): Follower | undefined {
  if (mirrors.length === 0) return undefined
  const follower = new Follower({
    mirrors,
    databases,
    databasesMax: serverLimits.followedDatabases,
    env,
    onError: (url, { message }) => fastify.log.warn({ mirror: url }, message),
  })
  disk.onChange((full) => follower.pause(full))
  fastify.addHook('onReady', async () => follower.start())
  fastify.addHook('preClose', () => follower.stop())
  return follower
}

/** Ends live streams and refuses new requests when the server begins to close; closes the databases when it has. */
function stopGracefully(fastify: FastifyInstance, databases: Databases, { liveStreams }: RouteOptions): void {
  let stopping = false
  fastify.addHook('preClose', async () => {
    stopping = true
    liveStreams.endAll()
  })
  fastify.addHook('onRequest', (_request, _reply, done) => {
    done(stopping ? new ClosedError() : undefined)
  })
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    // What was under way at the stop is answered; its connection would then idle and hold the stop up.
    if (stopping) reply.header('connection', 'close')
    done(null, payload)
  })
  fastify.addHook('onClose', () => databases.close())
}
