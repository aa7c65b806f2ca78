import type { ServerResponse } from 'node:http'
import { fastifyRateLimit } from '@fastify/rate-limit'
import { forbidden, RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { serverLimits } from '../limits.js'
import { everything, type Grant, type Right, reaches } from '../tokens/grant.js'
import type { TokenBook } from '../tokens/token-book.js'
import { clientOf } from './client.js'

/** What a route needs: nothing, any token at all, a right, or one of several. */
export type RouteRight = 'open' | 'any' | Right | readonly Right[]

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Each route of a mirror declares it. */
    readonly right?: RouteRight
  }
  interface FastifyRequest {
    /** What the request's token may; set for all routes of a mirror but the open ones. */
    grant: Grant | undefined
  }
}

const MINUTE_MS = 60_000

/** Who says which tokens are good, now. */
export type Tokens = Pick<TokenBook, 'guarded' | 'grantOf' | 'isGood' | 'onLook'>

/**
 * Lets through what a route's right allows, and nothing else. What is needed is declared by the route and not by the
 * path, so that it does not matter how a path is spelled; what declares nothing does not start.
 */
export async function guard(fastify: FastifyInstance, tokens: Tokens, rateLimit = 0): Promise<void> {
  await fastify.register(fastifyRateLimit, { global: false })
  const registered: RouteOptions[] = []
  fastify.decorateRequest('grant', undefined)
  fastify.addHook('onRoute', (route) => void registered.push(route))
  fastify.addHook('onReady', async () => {
    for (const { method, url, config } of registered)
      if (config?.right === undefined) throw new TypeError(`${method} ${url} does not say who may ask for it`)
  })
  const open = new OpenAnswers(tokens)
  const wrong = fastify.createRateLimit({ max: serverLimits.wrongTokensPerMinute, timeWindow: MINUTE_MS })
  const asked = fastify.createRateLimit({
    max: rateLimit,
    timeWindow: MINUTE_MS,
    keyGenerator: clientOf,
  })
  const admit = (
    request: FastifyRequest,
    reply: FastifyReply,
    grant: Grant,
    right: RouteRight | undefined,
  ): void => {
    open.add(reply.raw, grant)
    // For what is no route there is nothing to be had either, but for a token.
    if (!request.is404 && !allows(grant, right)) throw forbidden('This token is not for this')
    const { db } = (request.params ?? {}) as { readonly db?: string }
    if (db !== undefined) requireReach(grant, db)
  }
  const refuseWrong = async (request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    await within(wrong, request, reply)
    throw tokenInvalid()
  }
  // Nothing is awaited where there is nothing to wait for: that costs as much as to find a document.
  fastify.addHook('onRequest', (request, reply, done) => {
    const { right } = request.routeOptions.config
    if (right === 'open') return done()
    const grant = tokens.guarded ? tokens.grantOf(bearerOf(request)) : everything
    if (grant === undefined) return void refuseWrong(request, reply).catch(done)
    request.grant = grant
    if (rateLimit > 0) {
      const admitted = within(asked, request, reply).then(() => admit(request, reply, grant, right))
      return void admitted.then(() => done(), done)
    }
    admit(request, reply, grant, right)
    done()
  })
  fastify.addHook('onResponse', (_request, reply, done) => {
    open.delete(reply.raw)
    done()
  })
}

/** @throws RequestRefusedError whether there is such a database or not */
export function requireReach(grant: Grant, name: string): void {
  if (!reaches(grant, name)) throw forbidden('This token is not for this database')
}

/** Counts the request. @throws RequestRefusedError where it is one too many */
async function within(
  limit: ReturnType<FastifyInstance['createRateLimit']>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const counted = await limit(request)
  if (counted.isAllowed || !counted.isExceeded) return
  reply.header('retry-after', String(counted.ttlInSeconds))
  throw new RequestRefusedError('MYNAH_RATE_LIMITED', 'These are too many requests; come again later')
}

/** Answers that are not over: where a token is no longer good, they are cut, however far they are. */
class OpenAnswers {
  readonly #open = new Map<ServerResponse, Grant>()

  constructor(tokens: Pick<Tokens, 'isGood' | 'onLook'>) {
    tokens.onLook(() => {
      // Not ended: what breaks off must not look whole.
      for (const [answer, grant] of this.#open) {
        if (!tokens.isGood(grant)) answer.destroy()
        // Nobody says so of an answer that broke off.
        if (answer.closed) this.#open.delete(answer)
      }
    })
  }

  add(answer: ServerResponse, grant: Grant): void {
    // It went while its token was looked at, and will not close again.
    if (answer.destroyed) return
    this.#open.set(answer, grant)
  }

  delete(answer: ServerResponse): void {
    this.#open.delete(answer)
  }
}

/** @throws RequestRefusedError where the request brings no token */
function bearerOf({ headers }: FastifyRequest): string {
  const given = /^Bearer ([\x21-\x7e]+)$/i.exec(headers.authorization ?? '')?.[1]
  if (given === undefined) throw tokenInvalid()
  return given
}

function tokenInvalid(): RequestRefusedError {
  return new RequestRefusedError('MYNAH_TOKEN_INVALID', 'This needs a valid bearer token')
}

function allows({ can, ids }: Grant, right: RouteRight | undefined): boolean {
  if (right === undefined || right === 'open') return false
  if (right === 'any') return true
  // What is of a whole database is not for who reaches a part of it.
  const may = (one: Right) => can.includes(one) && (one !== 'admin' || ids === undefined)
  return typeof right === 'string' ? may(right) : right.some(may)
}
