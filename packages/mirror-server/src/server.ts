import type { Socket } from 'node:net'
import { nodeEnv } from '@mynah/core'
import { encodeError, mediaTypes, wireLimits } from '@mynah/replication/protocol'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { answerFailure, refuseRoute } from './failures.js'
import { serverLimits } from './limits.js'
import { type MirrorOptions, type MirrorParts, partsOf, serveMirror } from './mirror.js'

export interface MirrorServerOptions extends MirrorOptions {
  /** Where failures and events go; documents and tokens never do. Default: nowhere. */
  readonly logger?: FastifyBaseLogger
  /** Where a line for each request goes: its route and database, never its id. Default: nowhere. */
  readonly accessLog?: Pick<FastifyBaseLogger, 'info'>
}

/**
 * A ready server that is a mirror and nothing else: listens when told to. `close()` ends live streams, finishes what
 * is in flight (10 s at most), and closes the databases.
 */
export async function createMirror(options: MirrorServerOptions): Promise<FastifyInstance> {
  return (await createServer(options)).server
}

/** The same, with what it keeps open. */
export async function createServer(
  options: MirrorServerOptions,
): Promise<MirrorParts & { readonly server: FastifyInstance }> {
  const { logger, accessLog, ...mirrorOptions } = options
  const server = fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 1_024 },
    bodyLimit: wireLimits.requestBytes,
    requestTimeout: serverLimits.requestTimeoutMs,
    connectionTimeout: serverLimits.socketIdleMs,
    keepAliveTimeout: serverLimits.keepAliveMs,
    http: {
      headersTimeout: serverLimits.headersTimeoutMs,
      connectionsCheckingInterval: serverLimits.connectionsCheckingIntervalMs,
    },
    // The mirror's own answer to a request during a stop looks like all its errors.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void answerFailure(error, request, reply),
    clientErrorHandler: answerBrokenRequest,
  })
  server.server.maxConnections = serverLimits.connections
  server.setErrorHandler(answerFailure)
  server.setNotFoundHandler(refuseRoute)
  server.removeAllContentTypeParsers()
  boundStop(server, options)
  if (accessLog !== undefined) logRequests(server, accessLog)
  const parts = partsOf(mirrorOptions, server.log)
  await server.register((scope) => serveMirror(scope, mirrorOptions, parts))
  await server.ready()
  return { server, ...parts }
}

/** By routes and not by paths: in these are ids, and what people put into queries. */
function logRequests(server: FastifyInstance, log: Pick<FastifyBaseLogger, 'info'>): void {
  server.addHook(
    'onResponse',
    async ({ method, routeOptions, params, grant, ip }, { statusCode, elapsedTime }) => {
      const { db: database } = (params ?? {}) as { readonly db?: string }
      const ms = Math.round(elapsedTime)
      log.info({
        method,
        route: routeOptions.url,
        database,
        status: statusCode,
        ms,
        token: grant?.id,
        address: ip,
      })
    },
  )
}

/** Cuts what has not finished some time after a stop began. */
function boundStop(server: FastifyInstance, options: MirrorOptions): void {
  const env = options.env ?? nodeEnv
  server.addHook('preClose', async () => {
    const timer = env.setTimer(() => server.server.closeAllConnections(), serverLimits.stopGraceMs)
    server.server.once('close', () => timer.cancel())
  })
}

/** Answers what is not even a request: there is no reply to send it through. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, failure] = brokenRequest(error.code)
  const body = encodeError(failure)
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: ${mediaTypes.json}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy()
}

function brokenRequest(code: string | undefined): [status: string, { code: string; message: string }] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', { code: 'MYNAH_REQUEST_TIMEOUT', message: 'The request took too long' }]
    case 'HPE_HEADER_OVERFLOW':
      return [
        '431 Request Header Fields Too Large',
        { code: 'MYNAH_HEADERS_TOO_LARGE', message: 'The headers are too long' },
      ]
    default:
      return ['400 Bad Request', { code: 'MYNAH_REQUEST_INVALID', message: 'This is not HTTP' }]
  }
}
