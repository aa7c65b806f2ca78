import type { Env, Timer } from '../../src/env/env.js'
import { type Log, type LogOptions, openLog } from '../../src/log/log.js'
import { Manifest } from '../../src/log/manifest.js'
import type { LogRecord } from '../../src/log/record.js'
import type { Storage } from '../../src/storage/storage.js'

export const DATABASE = '0123456789abcdef0123456789abcdef'

/** A clock that stands until it is told to go, and bytes that come out the same each time. */
export class TestEnv implements Env {
  #ms = 1_800_000_000_000
  #state: number
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>()

  constructor(seed = 1) {
    this.#state = seed
  }

  now(): number {
    return this.#ms
  }

  monotonicMs(): number {
    return this.#ms
  }

  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.random(256))
  }

  /** An integer from 0 to below `bound`. */
  random(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * bound)
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { at: this.#ms + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  offload<T>(work: () => Promise<T>): Promise<T> {
    return work()
  }

  /** Lets the time pass, and what the timers began come to its end. */
  async pass(ms: number): Promise<void> {
    const end = this.#ms + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#timers.delete(next)
      this.#ms = Math.max(this.#ms, next.at)
      next.callback()
    }
    this.#ms = end
    for (let turn = 0; turn < 20; turn++) await this.yield()
  }
}

/** A revision told from all others by `n`; with an opaque body where that is to be large. */
export function record(n: number, bodyBytes = 0): LogRecord {
  const digest = n.toString(16).padStart(32, '0')
  return {
    kind: 'revision',
    // Foreign, so that any digest will do.
    id: `doc-${n}`,
    rev: `1-${digest}`,
    path: [],
    deleted: false,
    at: 1_800_000_000_000 + n,
    origin: DATABASE,
    supplies: false,
    continues: false,
    bodyHash: Uint8Array.from({ length: 32 }, () => n % 256),
    body: bodyBytes < 1_000 ? { n, text: filler(n, bodyBytes) } : new Uint8Array(bodyBytes).fill(n),
  }
}

/** Text that compresses badly. */
function filler(seed: number, length: number): string {
  let text = ''
  for (let state = seed + 1; text.length < length; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += state.toString(36)
  }
  return text.slice(0, length)
}

/** What of a record the tests compare: enough to tell it from all others. */
export function summary(found: LogRecord): string {
  const { kind, id, rev, at, body } = found
  const text = body instanceof Uint8Array ? `${body.length} bytes of ${body[0]}` : JSON.stringify(body)
  return `${kind} ${id} ${rev} ${at} ${text}`
}

export async function openTestLog(
  storage: Storage,
  options: Partial<Omit<LogOptions, 'storage'>> = {},
): Promise<{ log: Log; manifest: Manifest; env: TestEnv }> {
  const env = (options.env as TestEnv | undefined) ?? new TestEnv()
  const manifest =
    options.manifest ??
    (await Manifest.load(storage)) ??
    (await Manifest.create(storage, { id: DATABASE, mode: 'peer', created: env.now() }))
  const log = await openLog({
    storage,
    env,
    manifest,
    watermark: 0,
    readOnly: false,
    shardBytes: 64 * 1024,
    cacheBytes: 1024 * 1024,
    ...options,
  })
  return { log, manifest, env }
}

/** Every record of the log by seq, through `scan`. */
export async function contents(log: Log): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  for await (const batch of log.scan(1, log.head))
    for (const { seq, record: one } of batch) {
      if (found.has(seq)) throw new Error(`seq ${seq} twice`)
      found.set(seq, summary(one))
    }
  return found
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Records n, n+1, … as the contents of a log from seq n. */
export function expected(first: number, last: number, bodyBytes = 0): [number, string][] {
  return Array.from({ length: last - first + 1 }, (_, index) => [
    first + index,
    summary(record(first + index, bodyBytes)),
  ])
}
