import type { Env } from '@mynah/core'

/** The most that a mirror is left alone because it says so: who says more may not know what it says. */
const MOST_MS = 300_000

/** Until when one mirror wants to be left alone. */
export class HoldOff {
  readonly #env: Env
  #untilMs = Number.NEGATIVE_INFINITY

  constructor(env: Env) {
    this.#env = env
  }

  /** How long from now, milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - this.#env.monotonicMs())
  }

  /** Learns from an answer: one that is an error may say when to come again, any other that it is over. */
  learn({
    status,
    headers,
  }: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
  }): void {
    const afterMs = status < 400 ? undefined : retryAfterMs(headers, this.#env.now())
    if (afterMs !== undefined) this.#untilMs = this.#env.monotonicMs() + afterMs
    else if (status < 400) this.#untilMs = Number.NEGATIVE_INFINITY
  }
}

/**
 * What `retry-after` says, milliseconds, five minutes at most; undefined where it says nothing. A date counts from the
 * answer's own, where it has one: clocks differ.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
 */
export function retryAfterMs(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? ''
  if (/^\d+$/.test(text)) return Math.min(MOST_MS, 1_000 * Number(text))
  // Only dates as HTTP has them: a parser of dates makes one of nearly anything.
  const atMs = /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs)) return undefined
  const answeredMs = Date.parse(headers.date ?? '')
  return Math.min(MOST_MS, Math.max(0, atMs - (Number.isNaN(answeredMs) ? nowMs : answeredMs)))
}
