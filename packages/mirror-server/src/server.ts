import { type Server as HttpServer, maxHeaderSize } from 'node:http'
import type { Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { type FastifyCorsOptions, fastifyCors } from '@fastify/cors'
import { type Env, nodeEnv } from '@mynah/core'
import { encodeError, headers, mediaTypes, wireLimits } from '@mynah/replication/protocol'
import { RequestRefusedError } from '@mynah/replication/serve'
import fastify, {
  type FastifyBaseLogger,
  type FastifyHttpOptions,
  type FastifyInstance,
  LogController,
  type onRequestHookHandler,
} from 'fastify'
import { guardOwnMachine } from './access/own-machine.js'
import { StalledConnections } from './bounds/stalled-connections.js'
import { answerFailure, refuseRoute } from './http/failures.js'
import { serverLimits } from './limits.js'
import { type MirrorOptions, type MirrorParts, partsOf, serveMirror } from './mirror.js'
import { type TlsFiles, TlsKeeper } from './tls-files.js'

/** What a server that is a mirror and nothing else is made with. */
export interface MirrorServerOptions extends MirrorOptions {
  /** Where failures and events go; documents and tokens never do. Default: nowhere. */
  readonly logger?: FastifyBaseLogger
  /** Where a line for each request goes: its route and database, never its id. Default: nowhere. */
  readonly accessLog?: Pick<FastifyBaseLogger, 'info'>
  /** Files for TLS, which are read again when they change. Default: none, and no TLS. */
  readonly tls?: TlsFiles
  /** Addresses of proxies (or networks of them) whose word on where a request comes from is believed. Default: none. */
  readonly trustProxy?: readonly string[]
  /** Origins whose pages may ask, as in `https://app.example`; `*` for all. Default: none. */
  readonly cors?: readonly string[]
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
  const { logger, accessLog, tls, trustProxy = [], cors = [], ...mirrorOptions } = options
  const env = options.env ?? nodeEnv
  const keeper = tls && new TlsKeeper(tls, env, (error) => server.log.error({ err: error }, 'TLS files'))
  const server = fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for each request costs more than to find its document, and only failures are logged.
    childLoggerFactory: (parent) => parent,
    routerOptions: { maxParamLength: 1_024 },
    bodyLimit: wireLimits.requestBytes,
    requestTimeout: serverLimits.requestTimeoutMs,
    connectionTimeout: serverLimits.socketIdleMs,
    keepAliveTimeout: serverLimits.keepAliveMs,
    trustProxy: trustProxy.length > 0 && [...trustProxy],
    // The mirror's own answer to a request during a stop looks like all its errors.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void answerFailure(error, request, reply),
    clientErrorHandler: answerBrokenRequest,
    ...listening(keeper),
  })
  server.server.maxConnections = serverLimits.connections
  server.setErrorHandler(answerFailure)
  server.setNotFoundHandler(refuseRoute)
  server.removeAllContentTypeParsers()
  boundStop(server, env)
  server.addHook('onRequest', secureHeaders)
  if (cors.length > 0) await server.register(fastifyCors, corsOptions(cors))
  if (keeper !== undefined) {
    keeper.watch(server.server as unknown as TlsServer)
    server.addHook('preClose', () => keeper.stop())
  }
  const stalled = new StalledConnections(env)
  stalled.watch(server.server)
  server.addHook('preClose', async () => stalled.stop())
  if (accessLog !== undefined) logRequests(server, accessLog)
  const parts = partsOf(mirrorOptions, server.log)
  guardOwnMachine(server, parts.tokens, cors)
  await server.register((scope) => serveMirror(scope, mirrorOptions, parts))
  await server.ready()
  return { server, ...parts }
}

/** What Node's server is made with: fastify has two names for it, and a type of its own for each. */
function listening(keeper: TlsKeeper | undefined): Pick<FastifyHttpOptions<HttpServer>, 'http'> {
  const bounds = {
    headersTimeout: serverLimits.headersTimeoutMs,
    // Node's own refusal has no body.
    requireHostHeader: false,
    connectionsCheckingInterval: serverLimits.connectionsCheckingIntervalMs,
  }
  if (keeper === undefined) return { http: bounds }
  // Who does not come to an end with TLS has not sent a header either.
  const handshake = { handshakeTimeout: serverLimits.headersTimeoutMs, minVersion: 'TLSv1.2' } as const
  return { https: { ...bounds, ...handshake, ...keeper.content } } as object
}

function corsOptions(origins: readonly string[]): FastifyCorsOptions {
  return {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: ['etag', 'location', 'retry-after', ...Object.values(headers)],
    maxAge: 3_600,
  }
}

/** For answers that are data: a browser is to run, frame and guess nothing of them. A page sets its own. */
const secureHeaders: onRequestHookHandler = (request, reply, done) => {
  if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
    throw new RequestRefusedError('MYNAH_REQUEST_INVALID', 'A request names its host')
  reply.header('x-content-type-options', 'nosniff')
  reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  reply.header('referrer-policy', 'no-referrer')
  if (request.protocol === 'https') reply.header('strict-transport-security', 'max-age=31536000')
  done()
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
function boundStop(server: FastifyInstance, env: Env): void {
  server.addHook('preClose', async () => {
    const timer = env.setTimer(() => server.server.closeAllConnections(), serverLimits.stopGraceMs)
    server.server.once('close', () => timer.cancel())
  })
}

/** What Node tells of bytes that it cannot read. */
type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: unknown }

/** Answers what is not even a request: there is no reply to send it through. */
function answerBrokenRequest(error: ClientError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, failure] = brokenRequest(error)
  const body = encodeError(failure)
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: ${mediaTypes.json}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy()
}

function brokenRequest({
  code,
  rawPacket,
}: ClientError): [status: string, { code: string; message: string }] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', { code: 'MYNAH_REQUEST_TIMEOUT', message: 'The request took too long' }]
    case 'HPE_HEADER_OVERFLOW':
      if (rawPacket instanceof Buffer && isRequestLine(rawPacket))
        return ['414 URI Too Long', { code: 'MYNAH_REQUEST_TOO_LARGE', message: 'The address is too long' }]
      return [
        '431 Request Header Fields Too Large',
        { code: 'MYNAH_HEADERS_TOO_LARGE', message: 'The headers are too long' },
      ]
    default:
      return ['400 Bad Request', { code: 'MYNAH_REQUEST_INVALID', message: 'This is not HTTP' }]
  }
}

/** Whether bytes that are too many for a head are one line only, of a request: what comes in parts looks like headers. */
function isRequestLine(packet: Buffer): boolean {
  const head = packet.subarray(0, maxHeaderSize)
  return (
    head.length === maxHeaderSize &&
    !head.includes(0x0a) &&
    /^[A-Z-]+ $/.test(head.toString('latin1', 0, head.indexOf(0x20) + 1))
  )
}
