import type { Env, Timer } from '@mynah/core'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyInstance } from 'fastify'
import { serverLimits } from '../limits.js'
import { freeBytes } from './disk-space.js'

/** Which disk, and how much of it is kept free. */
export interface DiskGuardOptions {
  readonly folder: string
  /** Room that is kept free. */
  readonly reserveBytes: number
  readonly env: Pick<Env, 'setTimer'>
  /** How much room there is; undefined where nobody knows. Default: what the system says. */
  readonly freeBytes?: (folder: string) => Promise<number | undefined>
}

/**
 * Keeps some room on the disk: while there is less, nothing new is taken, and all is read as ever. It ends by itself when
 * there is room again, and some more, so that it does not flutter.
 */
export class DiskGuard {
  readonly #options: DiskGuardOptions
  readonly #listeners = new Set<(full: boolean) => void>()
  #full = false
  #timer: Timer | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DiskGuardOptions) {
    this.#options = options
  }

  get full(): boolean {
    return this.#full
  }

  /** Calls when it begins or ends. */
  onChange(listener: (full: boolean) => void): void {
    this.#listeners.add(listener)
  }

  /** @throws RequestRefusedError while there is too little room */
  requireRoom(): void {
    if (this.#full)
      throw new RequestRefusedError(
        'MYNAH_DISK_FULL',
        'The disk is nearly full: nothing is written until there is room',
      )
  }

  async start(): Promise<void> {
    await this.#look()
    this.#later()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#looking
  }

  #later(): void {
    if (this.#stopped) return
    this.#timer = this.#options.env.setTimer(() => {
      this.#looking = this.#look().then(() => this.#later())
    }, serverLimits.diskLookMs)
  }

  async #look(): Promise<void> {
    const { folder, reserveBytes, freeBytes: ask = freeBytes } = this.#options
    const free = await ask(folder)
    const wanted = this.#full ? reserveBytes * 1.25 : reserveBytes
    const full = free !== undefined && free < wanted
    if (full === this.#full) return
    this.#full = full
    for (const listener of this.#listeners) listener(full)
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It takes room on the disk, also where its right is another than `write`. */
    readonly writes?: boolean
  }
}

/** Refuses what writes while there is too little room: before its body is read. */
export function guardDisk(fastify: FastifyInstance, disk: DiskGuard): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (disk.full) {
      const { config } = request.routeOptions
      if (config.writes === true || config.right === 'write') disk.requireRoom()
    }
    done()
  })
  fastify.addHook('onReady', () => disk.start())
  fastify.addHook('preClose', () => disk.stop())
}
