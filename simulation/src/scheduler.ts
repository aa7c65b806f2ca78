import type { Trace } from './trace.js'

/** What is to happen at a virtual time. */
interface Event {
  readonly atMs: number
  /** Tells events of one time apart: first planned, first run. */
  readonly order: number
  readonly label: string
  readonly run: () => void | Promise<void>
  cancelled: boolean
}

/**
 * Virtual time. One event is run after the other, each with all that follows from it at once; nothing else may take
 * real time, so that one seed is one history.
 */
export class Scheduler {
  readonly #trace: Trace
  readonly #heap: Event[] = []
  #nowMs = 0
  #orders = 0
  #events = 0

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  /** Plans an event; returns the way to cancel it. A promise that `run` gives is awaited in real time. */
  after(delayMs: number, label: string, run: () => void | Promise<void>): () => void {
    const atMs = this.#nowMs + Math.max(0, delayMs)
    const event: Event = { atMs, order: this.#orders++, label, run, cancelled: false }
    push(this.#heap, event)
    return () => {
      event.cancelled = true
    }
  }

  /** Resolves after the delay. */
  sleep(delayMs: number, label: string): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, label, resolve))
  }

  /** Lets the time pass until the work is done, or `limitMs` have passed. @throws Error when nothing is left to happen */
  async until(work: Promise<unknown>, limitMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    let over = false
    const end = () => {
      over = true
    }
    work.then(end, end)
    const endMs = this.#nowMs + limitMs
    await settle()
    while (!over) {
      const event = pop(this.#heap)
      if (event === undefined) throw new Error('nothing is left to happen, and the work is not done')
      if (event.cancelled) continue
      if (event.atMs > endMs) {
        push(this.#heap, event)
        this.#nowMs = endMs
        return false
      }
      await this.#run(event)
    }
    return true
  }

  async #run(event: Event): Promise<void> {
    this.#nowMs = Math.max(this.#nowMs, event.atMs)
    this.#events++
    this.#trace.event(this.#nowMs, event.label)
    await event.run()
    await settle()
  }
}

/** Every microtask has run when this resolves. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function push(heap: Event[], event: Event): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const above = (at - 1) >> 1
    if (!isBefore(event, heap[above]!)) break
    heap[at] = heap[above]!
    at = above
  }
  heap[at] = event
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
    if (below >= heap.length || !isBefore(heap[below]!, last)) break
    heap[at] = heap[below]!
    at = below
  }
  heap[at] = last
  return first
}
