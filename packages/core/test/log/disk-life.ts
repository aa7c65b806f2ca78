import { MynahError } from '../../src/errors.js'
import { type Database, type OpenOptions, open } from '../../src/index.js'
import {
  type DiskFault,
  type DiskOperation,
  MemoryDisk,
  type RandomSource,
} from '../../src/storage/memory-disk.js'
import { TestEnv } from './support.js'

/** What others do in their own time is waited for before anything else goes on: so a seed is one history. */
export class OrderedEnv extends TestEnv {
  #busy: Promise<unknown> = Promise.resolve()

  override offload<T>(work: () => Promise<T>): Promise<T> {
    const result = work()
    this.#busy = Promise.allSettled([this.#busy, result])
    return result
  }

  override async yield(): Promise<void> {
    await this.#busy
    await super.yield()
  }
}

const NEVER: Promise<never> = new Promise(() => undefined)

/** What is known of one document's writes: `n` counts them; a deletion has no body. */
interface Known {
  readonly tried: Map<number, 'put' | 'delete'>
  /** The newest that was acknowledged. */
  sure: number
}

/** One machine with a database, which writes, dies and is looked at. */
export class DiskLife {
  readonly disk: MemoryDisk
  readonly random: RandomSource
  readonly known = new Map<string, Known>()
  readonly faults: string[] = []
  /** Chance of a fault for each operation, by kind. */
  chance: (operation: DiskOperation) => DiskFault | undefined = () => undefined
  acknowledged = 0
  refused = 0
  readonly #env: OrderedEnv
  #n = 0
  /** Operations until the end; undefined: it does not come. */
  #left: number | undefined
  #end: () => void = () => undefined

  constructor(random: RandomSource) {
    this.random = random
    this.#env = new OrderedEnv(Math.floor(random() * 2 ** 32))
    this.disk = new MemoryDisk({
      random,
      pace: () => this.#take(),
      fault: (operation) => this.chance(operation),
    })
  }

  async #take(): Promise<void> {
    if (this.#left !== undefined && this.#left-- <= 0) {
      this.#left = undefined
      this.#end()
      return NEVER
    }
    if (this.random() < 0.3) await this.#env.yield()
  }

  open(options: OpenOptions = {}): Promise<Database> {
    return open('/ram', {
      shardBytes: 600,
      ...options,
      env: this.#env,
      storage: this.disk.storage(),
      level: (location) => this.disk.level(location),
    })
  }

  /** Does something until it is done, or until after so many operations of the disk the machine stops. */
  async until(operations: number, end: 'kill' | 'cut', act: () => Promise<void>): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve
    })
    this.#left = operations
    await Promise.race([act(), ended])
    this.#left = undefined
    if (end === 'kill') this.disk.kill()
    else this.disk.powerCut()
  }

  /** Opens it and demands that all is well. */
  async inspect(): Promise<void> {
    const db = await this.open()
    await this.look(db, false)
    for (const finding of (await db.verify()).findings) this.faults.push(JSON.stringify(finding))
    await db.close()
    if (this.faults.length > 0) throw new Error(this.faults.join('; '))
  }

  async write(db: Database, id: string): Promise<void> {
    const known = this.known.get(id) ?? { tried: new Map(), sure: -1 }
    this.known.set(id, known)
    const n = this.#n++
    const deletes = this.random() < 0.15 && known.tried.size > 0
    known.tried.set(n, deletes ? 'delete' : 'put')
    try {
      const done = deletes
        ? await db.delete(id)
        : await db.put({ id, n, text: 'x'.repeat(n % 90) }, { overwrite: true })
      if (!deletes || done) known.sure = Math.max(known.sure, n)
      this.acknowledged += 1
    } catch (error) {
      if (!(error instanceof MynahError)) throw error
      this.refused += 1
    }
  }

  /** Holds what a database tells against what is known; while the disk fails, it may refuse. */
  async look(db: Database, mayRefuse: boolean): Promise<void> {
    for (const [id, known] of this.known) {
      try {
        const fault = wrong(known, await db.get(id, { freshness: 'local' }))
        if (fault) this.faults.push(`${id}: ${fault}`)
      } catch (error) {
        if (!mayRefuse || !(error instanceof MynahError)) this.faults.push(`${id}: ${String(error)}`)
      }
    }
  }
}

function wrong({ tried, sure }: Known, found: { readonly n?: unknown } | undefined): string | undefined {
  if (found === undefined) {
    const may = sure < 0 || [...tried].some(([n, kind]) => n >= sure && kind === 'delete')
    return may ? undefined : `write ${sure} is gone`
  }
  const n = Number(found.n)
  if (tried.get(n) !== 'put') return `holds ${n}, which nobody wrote`
  return n < sure ? `holds write ${n} instead of ${sure}` : undefined
}
