import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Env, Timer } from '@mynah/core'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyInstance } from 'fastify'
import { serverLimits } from '../limits.js'

/** Bytes of memory that are in use, and how many may be. */
export interface MemoryUse {
  /** Of values, and of the buffers that they hold. What the process got and gave back to itself does not count. */
  readonly used: number
  readonly usedMax: number
  /** Of values alone. */
  readonly heap: number
  readonly heapMax: number
}

/** As this process stands. */
export function memoryUse(usedMax = usualMemoryBytes()): MemoryUse {
  const { heapUsed, external } = process.memoryUsage()
  return {
    used: heapUsed + external,
    usedMax,
    heap: heapUsed,
    heapMax: serverLimits.memoryShare * getHeapStatistics().heap_size_limit,
  }
}

/** Where nobody says how much: a part of what the container has, or else the machine. */
function usualMemoryBytes(): number {
  const given = process.constrainedMemory()
  const total = totalmem()
  return serverLimits.memoryShare * (given > 0 && given < total ? given : total)
}

/**
 * Refuses requests while memory is short: what is under way needs some to come to its end. What needs no token is answered
 * all the same, and feeds that are open stay.
 */
export class MemoryGuard {
  readonly #env: Pick<Env, 'setTimer'>
  readonly #use: () => MemoryUse
  #short = false
  #timer: Timer | undefined

  constructor(env: Pick<Env, 'setTimer'>, use: () => MemoryUse) {
    this.#env = env
    this.#use = use
  }

  get short(): boolean {
    return this.#short
  }

  guard(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, _reply, done) => {
      if (this.#short && request.routeOptions.config.right !== 'open')
        throw new RequestRefusedError('MYNAH_BUSY', 'Memory is short; come again')
      done()
    })
    fastify.addHook('onReady', async () => this.#look())
    fastify.addHook('preClose', async () => this.#timer?.cancel())
  }

  #look(): void {
    const { used, usedMax, heap, heapMax } = this.#use()
    this.#short = used > usedMax || heap > heapMax
    this.#timer = this.#env.setTimer(() => this.#look(), serverLimits.memoryLookMs)
  }
}
