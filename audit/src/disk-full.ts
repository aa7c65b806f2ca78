import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open, type Storage } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { Child } from './child.js'
import { FullDiskWriters, type FullNews, WRITERS } from './disk-full-writers.js'
import { inspect } from './inspect.js'
import { Ledger } from './ledger.js'
import { Random } from './random.js'

/** A disk that can be filled but for some bytes, and given its room back; and one database on it, used by a process. */
export interface SmallDisk {
  /** Begins the process. */
  start(seed: number, hear: (news: FullNews) => void): void
  fill(leaveBytes: number): void
  free(): void
  /** Ends the process: kills it, or has it close the database. */
  end(how: 'kill' | 'close'): Promise<void>
  /** Opens the database here. */
  open(): Promise<Database>
  /** Forgets the database. */
  clear(): void
  remove(): void
}

const MIB = 1024 * 1024
const BALLAST = 'ballast'
const PIECE = new Uint8Array(64 * 1024).fill(1)

/** A file system of 24 MiB in RAM, and child processes on it; undefined where this user may not mount one. */
export function smallFileSystem(): SmallDisk | undefined {
  const place = mkdtempSync(join(tmpdir(), 'mynah-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place], { stdio: 'ignore' })
  } catch {
    rmSync(place, { recursive: true })
    return undefined
  }
  const location = join(place, 'db')
  const ballast = join(place, BALLAST)
  let child: Child<FullNews> | undefined
  return {
    start(seed, hear) {
      child = new Child<FullNews>('disk-full-child')
      child.onMessage = hear
      const { errors, ended } = child
      void ended.then(({ signal, code }) => {
        if (signal !== 'SIGKILL' && code !== 0)
          hear({ kind: 'fault', fault: `the child ended by itself (${code}, ${signal}): ${errors}` })
      })
      child.send({ location, seed })
    },
    fill(leaveBytes) {
      const file = openSync(ballast, 'a')
      try {
        for (;;) writeSync(file, PIECE)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        closeSync(file)
      }
      const { bsize, bfree } = statfsSync(place)
      const { size } = statSync(ballast)
      truncateSync(ballast, Math.max(0, size - Math.max(0, leaveBytes - bsize * bfree)))
    },
    free: () => rmSync(ballast, { force: true }),
    async end(how) {
      if (how === 'kill') child?.kill()
      else child?.send({})
      await child?.ended
    },
    open: () => open(location, { shardBytes: 8_192 }),
    clear: () => rmSync(location, { recursive: true, force: true }),
    remove() {
      execFileSync('umount', [place])
      rmSync(place, { recursive: true })
    },
  }
}

/**
 * A disk in RAM with a size, for those who may not mount one.
 * @param through what stands between the database and the files
 */
export function smallMemoryDisk(through: (storage: Storage) => Storage = (storage) => storage): SmallDisk {
  let disk = new MemoryDisk({ capacityBytes: 24 * MIB })
  let running: Promise<unknown> = Promise.resolve()
  let stop: () => void = () => undefined
  let database: Database | undefined
  const openHere = () =>
    open('/db', {
      shardBytes: 8_192,
      storage: through(disk.storage()),
      level: (place) => disk.level(place),
    })
  return {
    start(seed, hear) {
      const begin = async (): Promise<void> => {
        const db = await openHere()
        database = db
        hear({ kind: 'open' })
        const writers = new FullDiskWriters(db, seed, hear)
        stop = () => writers.stop()
        await writers.run()
      }
      running = begin().catch((error: unknown) => hear({ kind: 'fault', fault: String(error) }))
    },
    fill: (leaveBytes) => {
      disk.capacityBytes = disk.usedBytes + leaveBytes
    },
    free: () => {
      disk.capacityBytes = 24 * MIB
    },
    async end(how) {
      stop()
      // What it still asks is never answered.
      if (how === 'kill') return disk.kill()
      await running
      await database?.close()
    },
    open: openHere,
    clear: () => {
      disk = new MemoryDisk({ capacityBytes: 24 * MIB })
    },
    remove: () => undefined,
  }
}

export interface DiskFullReport {
  readonly seed: number
  /** Times that the disk was full, and writers refused. */
  full: number
  /** The longest that it took after there was room until every writer had written, and one had sealed. */
  resumeMsMax: number
  acknowledged: number
  /** How often a call was refused, by the call, the code and what the disk refused. */
  readonly refused: Map<string, number>
  readonly faults: string[]
}

/** How long writers may take to go on after there is room again. */
const RESUME_MS = 10_000
const REFUSALS = 20
const FULL_MS_MAX = 10_000
const POLL_MS = 10
/** What is left of the disk when it is called full: each time something else is the first to fail. */
const LEFT = [0, 0, 4_096, 20_000, 70_000, 300_000, 1_000_000, 2_000_000] as const

/** Fills the disk under a database that is being written, frees it, and looks what was lost, again and again. */
export async function auditDiskFull(
  disk: SmallDisk,
  options: { readonly seed: number; readonly lives: number; readonly fills: number },
): Promise<DiskFullReport> {
  const random = new Random(options.seed)
  const refused = new Map<string, number>()
  const report: DiskFullReport = {
    ...{ seed: options.seed, full: 0, resumeMsMax: 0, acknowledged: 0 },
    ...{ refused, faults: [] },
  }
  for (let life = 0; life < options.lives && report.faults.length === 0; life++) {
    await new FullLife(disk, random, report).run(options.fills)
    disk.clear()
  }
  return report
}

class FullLife {
  readonly #disk: SmallDisk
  readonly #random: Random
  readonly #report: DiskFullReport
  readonly #ledger: Ledger
  readonly #seed: number
  #acknowledged = 0
  #refusals = 0
  /** When the newest acknowledged write of each writer, and the newest seal, began. */
  readonly #begunMs = new Map<number | 'seal', number>()

  constructor(disk: SmallDisk, random: Random, report: DiskFullReport) {
    this.#disk = disk
    this.#random = random
    this.#report = report
    this.#seed = random.seed()
    this.#ledger = new Ledger(this.#seed)
  }

  async run(fills: number): Promise<void> {
    this.#disk.start(this.#seed, (news) => this.#hear(news))
    // What is sealed later hides what was not there while the disk was full.
    const endsFull = this.#random.chance(0.5)
    for (let i = 1; i <= fills && this.#report.faults.length === 0; i++)
      await this.#fill(endsFull && i === fills)
    if (!endsFull) await this.#disk.end(this.#random.chance(0.7) ? 'kill' : 'close')
    if (this.#report.faults.length > 0) return
    const db = await this.#disk.open()
    const { faults } = await inspect(db, this.#ledger)
    this.#report.faults.push(...faults)
    this.#report.acknowledged += this.#ledger.acknowledged
    await db.close()
  }

  /** With `end` the process ends before there is room again. */
  async #fill(end: boolean): Promise<void> {
    const target = this.#acknowledged + this.#random.between(20, 800)
    if (!(await this.#until(() => this.#acknowledged >= target, 30_000, 'writes'))) return
    const refusals = this.#refusals
    this.#disk.fill(this.#random.pick(LEFT))
    const isFull = () => this.#refusals >= refusals + REFUSALS
    if (!(await this.#until(isFull, FULL_MS_MAX, 'refusals on a full disk'))) return
    await new Promise((resolve) => setTimeout(resolve, this.#random.pick([0, 200, 1_500])))
    if (end) await this.#disk.end('kill')
    this.#disk.free()
    if (end) {
      this.#report.full += 1
      return
    }
    const freeMs = Date.now()
    const all = [...Array.from({ length: WRITERS }, (_, writer) => writer), 'seal'] as const
    const resumed = () => all.every((one) => (this.#begunMs.get(one) ?? 0) >= freeMs)
    if (!(await this.#until(resumed, RESUME_MS, 'writes of all after there was room'))) return
    this.#report.full += 1
    this.#report.resumeMsMax = Math.max(this.#report.resumeMsMax, Date.now() - freeMs)
  }

  async #until(condition: () => boolean, withinMs: number, what: string): Promise<boolean> {
    const endMs = Date.now() + withinMs
    while (!condition()) {
      if (this.#report.faults.length > 0) return false
      if (Date.now() > endMs) {
        this.#report.faults.push(`no ${what} within ${withinMs} ms`)
        return false
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    return true
  }

  #hear(news: FullNews): void {
    switch (news.kind) {
      case 'try':
        this.#ledger.try(news.id, news.n, 'put')
        break
      case 'ack':
        this.#ledger.acknowledge(news.id, news.n, news.rev)
        this.#acknowledged += 1
        this.#begunMs.set(news.writer, news.startedMs)
        break
      case 'sealed':
        this.#begunMs.set('seal', news.startedMs)
        break
      case 'refused': {
        const { refused } = this.#report
        const what = `${news.what}: ${news.code}, ${news.place}`
        refused.set(what, (refused.get(what) ?? 0) + 1)
        if (news.what === 'put') this.#refusals += 1
        if (news.code !== 'MYNAH_DISK_FULL') this.#report.faults.push(`a full disk is told as ${what}`)
        break
      }
      case 'fault':
        this.#report.faults.push(news.fault)
        break
      default:
    }
  }
}
