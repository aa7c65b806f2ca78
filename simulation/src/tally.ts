import type { Summary } from './summary.js'

/** What a run of some length must have met, for every thousand operations; a run with less says nothing. */
const LEAST: Readonly<Record<string, number>> = {
  writes: 200,
  transactions: 20,
  'evicted bodies': 3,
  'resolved conflicts': 1,
  pins: 8,
  compactions: 2,
  kill: 5,
  'power cut': 5,
  restarts: 2,
  partitions: 3,
  restores: 0.3,
  'full disks': 0.5,
  'failing disks': 0.5,
  'clock changes': 3,
  'scope changes': 0.5,
  'peers that became mirrors': 0.2,
  'mirrors that became peers': 0.02,
  'hours of rest': 0.1,
  'joined mirrors': 0.1,
  'joined peers': 0.1,
  'imported databases': 0.1,
  reconciles: 5,
  'pushes of shards': 0.5,
  // Short histories have none: the first answer names all of so few ids.
  'questions about parts': 0.15,
}

/** What some runs came to, together. */
export class Tally {
  readonly counts = new Map<string, number>()
  readonly failures: Summary[] = []
  seeds = 0
  events = 0
  virtualMs = 0

  add(summary: Summary): void {
    this.seeds++
    this.events += summary.events
    this.virtualMs += summary.virtualMs
    for (const [what, count] of summary.counts) this.counts.set(what, (this.counts.get(what) ?? 0) + count)
    if (summary.failure !== undefined) this.failures.push(summary)
  }

  /** What there was too little of; for the profile in which everything goes wrong. */
  lacking(): readonly string[] {
    const thousands = (this.counts.get('operations') ?? 0) / 1_000
    return Object.entries(LEAST).flatMap(([what, least]) => {
      const count = this.counts.get(what) ?? 0
      const wanted = Math.floor(least * thousands)
      return count < wanted ? [`${what}: ${count} instead of ${wanted}`] : []
    })
  }
}
