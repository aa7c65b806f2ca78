import { statfs } from 'node:fs/promises'
import os from 'node:os'
import type { CounterSource, Counters } from './counters.js'

/** What the operating system tells of one second. A member that it does not tell is left out. */
export interface Sample {
  readonly id: string
  readonly at: Date
  readonly host: string
  /** Of all processors together, since the sample before. */
  readonly cpuPercent: number
  /** Mean number of runnable processes over a minute; Windows has none. */
  readonly load1?: number
  readonly memoryUsedBytes: number
  readonly memoryPercent: number
  /** Of the disk that holds the database. */
  readonly diskUsedBytes: number
  readonly diskPercent: number
  readonly diskReadBytesPerSecond?: number
  readonly diskWriteBytesPerSecond?: number
  readonly networkInBytesPerSecond?: number
  readonly networkOutBytesPerSecond?: number
}

interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** Reads this machine's state; what is a rate is measured from one call of `sample` to the next. */
export class Telemetry {
  readonly #folder: string
  readonly #counters: CounterSource
  readonly #host = hostName(os.hostname())
  #cpu = cpuTimes()
  #before: Counters | undefined

  constructor(folder: string, counters: CounterSource) {
    this.#folder = folder
    this.#counters = counters
  }

  /** Takes the first reading, which the first sample's rates begin at. */
  async begin(): Promise<void> {
    this.#cpu = cpuTimes()
    this.#before = await this.#counters()
  }

  async sample(at: Date): Promise<Sample> {
    const [disk, counters] = await Promise.all([statfs(this.#folder), this.#counters()])
    const cpu = cpuTimes()
    const cpuPercent = percent(cpu.busy - this.#cpu.busy, cpu.total - this.#cpu.total)
    const rates = this.#before === undefined ? {} : ratesBetween(this.#before, counters)
    this.#cpu = cpu
    this.#before = counters
    const memoryUsedBytes = os.totalmem() - os.freemem()
    const diskUsedBytes = (disk.blocks - disk.bfree) * disk.bsize
    return {
      id: `${this.#host}/${at.toISOString()}`,
      at,
      host: this.#host,
      cpuPercent,
      ...(process.platform === 'win32' ? {} : { load1: round(os.loadavg()[0] ?? 0, 2) }),
      memoryUsedBytes,
      memoryPercent: percent(memoryUsedBytes, os.totalmem()),
      diskUsedBytes,
      diskPercent: percent(diskUsedBytes, disk.blocks * disk.bsize),
      ...rates,
    }
  }
}

/** Counters that only grow become rates; one that is missing on either side, or fell (a restart), is left out. */
export function ratesBetween(before: Counters, now: Counters): Partial<Sample> {
  const seconds = (now.readMs - before.readMs) / 1_000
  const rates: Record<string, number> = {}
  for (const [name, from, to] of [
    ['diskReadBytesPerSecond', before.diskReadBytes, now.diskReadBytes],
    ['diskWriteBytesPerSecond', before.diskWriteBytes, now.diskWriteBytes],
    ['networkInBytesPerSecond', before.networkInBytes, now.networkInBytes],
    ['networkOutBytesPerSecond', before.networkOutBytes, now.networkOutBytes],
  ] as const) {
    if (from !== undefined && to !== undefined && to >= from && seconds > 0) {
      rates[name] = Math.round((to - from) / seconds)
    }
  }
  return rates
}

/** A host's name as it may stand in an id: a first character that is a letter or digit, nothing odd after it. */
export function hostName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return plain === '' ? 'host' : plain.slice(0, 255)
}

function cpuTimes(): CpuTimes {
  let busy = 0
  let total = 0
  for (const { times } of os.cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq
    total += all
    busy += all - times.idle
  }
  return { busy, total }
}

function percent(part: number, whole: number): number {
  return whole > 0 ? round(Math.min(100, Math.max(0, (part / whole) * 100)), 1) : 0
}

function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
