import { open } from '@mynah/core'
import { type DiskFault, type DiskOperation, MemoryDisk } from '@mynah/core/compliance'
import { type LogRecord, replicaOf } from '@mynah/core/replica'
import { replicate } from '@mynah/replication'
import type { Check } from './check.js'
import type { Computer, Ground, Process, Setup } from './ground.js'
import type { Hosts } from './hosts.js'
import type { Random } from './random.js'
import { Clock, SimEnv } from './sim-env.js'

/** How long a retry of a start that failed waits. */
const RETRY_MS = 1_000
const POLL_MS = 3_000
/** Where hours pass. */
const SLOW_POLL_MS = 60_000

/** What a machine's disk does to a process. */
export interface DiskWeather {
  /** Chances of a fault for each operation. */
  error: number
  flip: number
  short: number
}

export interface MachineOptions {
  readonly name: string
  readonly mode: 'peer' | 'mirror'
  readonly setup: Setup
  readonly hosts: Hosts
  readonly check: Check
  readonly onUp: (machine: Machine, process: Process) => void
}

/** One machine: a disk and a clock, which stay, and a process, which comes and goes. */
export class Machine implements Computer {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly weather: DiskWeather = { error: 0, flip: 0, short: 0 }
  /** What it is called among disks: another after each new disk. */
  diskName: string
  disk: MemoryDisk
  mode: 'peer' | 'mirror'
  setup: Setup
  process: Process | undefined
  /** Counts starts and ends: what was begun before the last one is void. */
  life = 0
  /** What the next process imports from elsewhere before it replicates. */
  imports: readonly LogRecord[] = []
  /** Whether it left the fleet. */
  gone = false
  /** Whether a disk or a lack of space may have failed something in this life. */
  diskFailed = false
  readonly #ground: Ground
  readonly #options: MachineOptions
  /** Of the process that runs or starts. */
  #env: SimEnv | undefined
  #shardBytes: number

  constructor(ground: Ground, options: MachineOptions) {
    const { name, mode, setup } = options
    this.#ground = ground
    this.#options = options
    this.name = name
    this.mode = mode
    this.setup = setup
    this.random = ground.random.fork()
    this.clock = new Clock(ground.scheduler, {
      offsetMs: this.random.between(-60_000, 60_000),
      drift: this.random.between(-5, 5) / 1_000,
    })
    this.diskName = `${name}.0`
    this.disk = new MemoryDisk(this.#diskOptions())
    this.#shardBytes = this.random.pick([256, 1_024, 8_192])
  }

  get up(): boolean {
    return this.process !== undefined && !this.process.closing
  }

  /** Puts a copy of a disk into this machine, which has no process. */
  insert(disk: MemoryDisk): void {
    this.disk = disk.copy(this.#diskOptions())
    this.disk.kill()
  }

  /** Puts an empty disk into this machine, which has no process. */
  insertNew(): void {
    const [name, number = ''] = this.diskName.split('.')
    this.diskName = `${name}.${Number(number) + 1}`
    this.disk = new MemoryDisk(this.#diskOptions())
  }

  /** Starts the process; again and again where its disk fails. */
  async start(): Promise<void> {
    if (this.#env !== undefined) return
    const life = ++this.life
    this.diskFailed = this.#isFaulty()
    const { scheduler } = this.#ground
    const env = new SimEnv({ scheduler, clock: this.clock, random: this.random.fork(), name: this.name })
    this.#env = env
    this.#ground.tell(`${this.name} starts`)
    const opened = await this.#open(env).catch((error: unknown) => ({ error }))
    if (life !== this.life) return
    if ('error' in opened) {
      this.#end('kill')
      this.#options.check.startFailed(this, opened.error)
      this.#ground.tell(`${this.name} does not start: ${String(opened.error)}`)
      scheduler.after(RETRY_MS, `${this.name} retries`, () => {
        if (life === this.life) void this.start()
      })
      return
    }
    this.process = opened
    if (this.mode === 'mirror') this.#options.hosts.serve(this, opened)
    this.#ground.tell(`${this.name} is up`)
    this.#options.onUp(this, opened)
  }

  /** Closes the database as an application does. */
  async stop(): Promise<void> {
    const { process } = this
    if (process === undefined || process.closing) return
    const life = ++this.life
    process.closing = true
    this.#ground.tell(`${this.name} closes`)
    let fault: unknown
    await process.replication.close().catch((error: unknown) => {
      fault = error
    })
    await process.db.close().catch((error: unknown) => {
      fault = error
    })
    if (life !== this.life) return
    if (fault !== undefined) this.#options.check.operationFailed(this, 'close', fault)
    this.#end('kill')
    this.#ground.tell(`${this.name} is closed`)
  }

  /** Ends the process, or the machine's power, at once. */
  crash(how: 'kill' | 'power cut'): void {
    this.life++
    this.#ground.tell(`${this.name}: ${how}`)
    this.#end(how)
  }

  #end(how: 'kill' | 'power cut'): void {
    const { process } = this
    if (process !== undefined) process.alive = false
    this.process = undefined
    this.#env?.end()
    this.#env = undefined
    this.#options.hosts.down(this, how === 'kill' ? 'killed' : 'unplugged')
    if (how === 'kill') this.disk.kill()
    else this.disk.powerCut()
  }

  async #open(env: SimEnv): Promise<Process> {
    const { disk, mode, setup } = this
    const parts = this.#ground.parts
    const db = parts.database(
      await open(this.name, {
        mode,
        storage: parts.storage(disk.storage()),
        level: (location) => parts.level(disk.level(location), location),
        env,
        shardBytes: this.#shardBytes,
        cacheBytes: 256 * 1024,
      }),
      mode,
    )
    const replica = replicaOf(db)
    if (this.imports.length > 0) await replica.merge(this.imports, { whole: true })
    this.imports = []
    const replication = await replicate(db, {
      env,
      mirrors: setup.mirrors,
      transport: this.#options.hosts.transport(this),
      ...(setup.scope && { scope: { prefixes: setup.scope } }),
      hold: setup.hold,
      live: setup.live,
      discovery: setup.discovers ? 'same-token' : 'off',
      ...(setup.bytesPerHour !== undefined && { maxBytesPerHour: setup.bytesPerHour }),
      intervalMs: this.#ground.hasHours ? SLOW_POLL_MS : POLL_MS,
    })
    return { env, db, replica, replication, setup, alive: true, closing: false }
  }

  #isFaulty(): boolean {
    const { error, flip, short } = this.weather
    return error + flip + short > 0 || this.disk.capacityBytes !== Number.POSITIVE_INFINITY
  }

  #diskOptions() {
    const random = this.random.fork()
    const { scheduler } = this.#ground
    return {
      random: () => random.fraction(),
      pace: (operation: DiskOperation): Promise<void> => {
        const ms = paceMs(operation, random)
        return ms === 0 ? Promise.resolve() : scheduler.sleep(ms, `${this.name} ${operation.kind}`)
      },
      fault: ({ kind }: DiskOperation): DiskFault | undefined => {
        const { error, flip, short } = this.weather
        if (error + flip + short === 0 || kind === 'lock' || kind === 'level-close') return undefined
        const drawn = random.fraction()
        if (drawn < error) return 'error'
        if (kind === 'read' && drawn < error + flip) return 'flip'
        return kind === 'read' && drawn < error + flip + short ? 'short' : undefined
      },
    }
  }
}

/** Reads come out of the system's memory; now and then a sync takes long. */
function paceMs({ kind }: DiskOperation, random: Random): number {
  if (kind === 'append') return 0.02 + random.around(0.05)
  if (kind === 'sync' || kind === 'replace' || kind === 'level-write')
    return 0.2 + random.around(random.chance(0.02) ? 100 : 1)
  return 0
}
