import type { Env } from '@mynah/core'
import { wireLimits } from '../protocol/names.js'
import { Moment } from '../timing/moment.js'
import { Allowance } from './allowance.js'

/** The least that a page is asked for with: below, what is said around it is most of what travels. */
const PAGE_BYTES_MIN = 16 * 1024
/** What may go at once is for so many pages, so that a short one seldom waits for what the last one took. */
const PAGES_AT_ONCE = 4

/** Bytes that travelled. */
export interface Travelled {
  /** Of bodies. */
  readonly up: number
  readonly down: number
  /** Of the request's and the answer's head. */
  readonly heads: number
  /** What was waited for. */
  readonly allowed?: number | undefined
}

/** What travels between here and all mirrors of a replication. */
export class Traffic {
  readonly #env: Env
  readonly #allowance: Allowance | undefined
  bytesUp = 0
  bytesDown = 0
  #lastContact: Moment | undefined

  /**
   * @param options `onWaiting` is called when background work begins or ends to wait
   * @throws RangeError where `bytesPerHour` is no number of bytes
   */
  constructor(
    env: Env,
    options: { readonly bytesPerHour: number | undefined; readonly onWaiting: () => void },
  ) {
    const { bytesPerHour, onWaiting } = options
    if (bytesPerHour !== undefined && !(Number.isSafeInteger(bytesPerHour) && bytesPerHour > 0))
      throw new RangeError(`${bytesPerHour} is no number of bytes per hour`)
    this.#env = env
    this.#allowance = bytesPerHour === undefined ? undefined : new Allowance(env, bytesPerHour, onWaiting)
  }

  /** When a mirror last answered, on the wall clock as it is now. */
  get lastContactMs(): number | undefined {
    return this.#lastContact?.wallMs
  }

  /** What a page of at most so many raw bytes is to be asked for with; undefined: as many as the mirror gives. */
  pageBytes(most: number): number | undefined {
    const allowed = (this.#allowance?.atOnce ?? Number.POSITIVE_INFINITY) / PAGES_AT_ONCE
    const bytes = Math.min(most, Math.max(PAGE_BYTES_MIN, Math.floor(allowed)))
    return bytes < wireLimits.pageBytes ? bytes : undefined
  }

  /** When background work that waits goes on, on the wall clock; undefined while none waits. */
  get resumesAt(): Date | undefined {
    const waitsMs = this.#allowance?.waitsMs
    return waitsMs === undefined ? undefined : new Date(this.#env.now() + waitsMs)
  }

  /** Resolves when about so many bytes may travel for background work. */
  async allow(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#allowance?.wait(bytes, signal)
  }

  /** They travelled for what came to nothing. */
  lose(bytes: number, allowed = 0): void {
    this.#allowance?.take(bytes - allowed)
  }

  count({ up, down, heads, allowed = 0 }: Travelled): void {
    this.bytesUp += up
    this.bytesDown += down
    this.#allowance?.take(up + down + heads - allowed)
    if (down + heads > 0) this.#lastContact = new Moment(this.#env)
  }
}
