import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, MirrorProcess } from '../mirror-process.js'
import { Random } from '../random.js'
import { exchange, type Outcome } from './exchange.js'
import { spoil } from './spoil.js'
import { type Description, type ValidRequest, validRequests } from './valid-requests.js'

export interface FuzzOptions {
  readonly seed: number
  readonly requests: number
  /** The first one, to run it again by itself. Default 0. */
  readonly from?: number
  readonly onProgress?: (done: number, rssBytes: number) => void
}

export interface FuzzReport {
  readonly seed: number
  readonly requests: number
  /** How often each status was answered; `closed` where there was none. */
  readonly statuses: Readonly<Record<string, number>>
  readonly slowestMs: number
  /** Of the mirror, after half of the requests and after all, at rest and without databases; and the most that was seen. */
  readonly rssBytes: { readonly before: number; readonly after: number; readonly most: number }
  readonly faults: readonly string[]
}

/** No answer for so long is a hang. */
const HANG_MS = 5_000
const AT_ONCE = 8
/** What was fuzzed away is made anew after so many. */
const RENEW = 60
const SETTLE_MS = 40_000
/** With fewer requests the memory still grows into what it needs. */
const MEANT = 10_000
/** Of all paths and states, and of what Node answers by itself. */
const anyTime = new Set([
  409, 410, 204, 304, 400, 401, 403, 404, 405, 406, 408, 411, 412, 413, 414, 415, 417, 422, 429, 431, 503,
  505, 507,
])

/** Spoils the requests of a mirror's own description, and looks for crashes, hangs, errors that are not documented, and memory. */
export async function fuzz({ seed, requests, from = 0, onProgress }: FuzzOptions): Promise<FuzzReport> {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-fuzz-'))
  const mirror = new MirrorProcess(folder, 'notes', await freePort())
  const faults: string[] = []
  const statuses: Record<string, number> = {}
  let slowestMs = 0
  const rss = { before: 0, after: 0, most: 0 }
  try {
    await mirror.start()
    const origin = new URL(mirror.url).origin
    const valid = validRequests((await (await fetch(`${origin}/openapi.json`)).json()) as Description)
    let next = from
    const one = async (index: number): Promise<void> => {
      const random = new Random(seed + Math.imul(index + 1, 0x9e37_79b1))
      const request = random.pick(valid)
      const begin = performance.now()
      const outcome = await exchange(mirror.port, spoil(request, random), HANG_MS)
      slowestMs = Math.max(slowestMs, performance.now() - begin)
      const status = outcome.kind === 'answer' ? String(outcome.status) : outcome.kind
      statuses[status] = (statuses[status] ?? 0) + 1
      const fault = faultOf(request, outcome)
      if (fault !== undefined) faults.push(`request ${index} of seed ${seed}, ${request.name}: ${fault}`)
    }
    const until = async (end: number): Promise<void> => {
      const work = async (): Promise<void> => {
        while (next < end && faults.length < 20) {
          const index = next++
          if (index % RENEW === 0) {
            await renew(origin)
            const now = await rssOf(origin)
            rss.most = Math.max(rss.most, now)
            onProgress?.(index - from, now)
          }
          await one(index)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
    }
    await until(from + Math.ceil(requests / 2))
    rss.before = await settled(origin, 0, requests)
    await renew(origin)
    await until(from + requests)
    rss.after = await settled(origin, rss.before, requests)
    rss.most = Math.max(rss.most, rss.after)
    if (rss.after > 1.1 * rss.before && requests >= MEANT)
      faults.push(`memory went from ${rss.before} to ${rss.after} bytes`)
    const end = await mirror.stop('SIGTERM')
    if (end !== '0') faults.push(`the mirror ended with ${end}: ${mirror.output.slice(-2_000)}`)
  } catch (error) {
    faults.push(`the mirror did not answer: ${String(error)} ${mirror.output.slice(-2_000)}`)
  } finally {
    await mirror.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  return { seed, requests, statuses, slowestMs: Math.round(slowestMs), rssBytes: rss, faults }
}

function faultOf({ statuses }: ValidRequest, outcome: Outcome): string | undefined {
  if (outcome.kind === 'silent') return `no answer in ${HANG_MS} ms`
  if (outcome.kind === 'refused')
    return outcome.cause === 'ECONNREFUSED' ? 'nobody listens any more' : undefined
  if (outcome.kind === 'closed') return undefined
  const { status, head, body } = outcome
  // A spoilt method or path may have become another operation: its successes are not this one's.
  if (status >= 400 && !statuses.has(status) && !anyTime.has(status))
    return `${status}, which is not documented: ${body.slice(0, 300)}`
  if (status < 400 || body === '' || /transfer-encoding: chunked/i.test(head)) return undefined
  try {
    const { code } = JSON.parse(Buffer.from(body, 'latin1').toString()) as { readonly code?: unknown }
    if (typeof code === 'string' && /^MYNAH_[A-Z_]+$/.test(code) && code !== 'MYNAH_INTERNAL')
      return undefined
  } catch {
    // Told below.
  }
  return `${status} with a body of another shape: ${body.slice(0, 300)}`
}

/** What the examples speak of. */
async function renew(origin: string): Promise<void> {
  await fetch(`${origin}/v1/notes`, { method: 'PUT' })
  const headers = { 'content-type': 'application/json' }
  for (const id of ['note/1', 'note/5'])
    await fetch(`${origin}/v1/notes/docs/${id}?overwrite=true`, {
      method: 'PUT',
      headers,
      body: '{"text":"fuzzed"}',
    })
  await fetch(`${origin}/kv/note/1`, { method: 'PUT', body: 'value' })
}

async function rssOf(origin: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  return Number(/^process_resident_memory_bytes (.*)$/m.exec(text)?.[1])
}

/** At rest and without databases: the least of some time, or as soon as it is near what it was. */
async function settled(origin: string, before: number, requests: number): Promise<number> {
  // Caches of what happens to be there are bounded, and no matter here.
  for (const name of ['notes', 'kv']) await fetch(`${origin}/v1/${name}`, { method: 'DELETE' })
  let least = Number.POSITIVE_INFINITY
  const beganMs = performance.now()
  const restMs = requests >= MEANT ? (before === 0 ? SETTLE_MS / 8 : SETTLE_MS) : 1
  while (performance.now() - beganMs < restMs && least > 1.1 * before) {
    least = Math.min(least, await rssOf(origin))
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return least
}
