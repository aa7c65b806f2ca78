import { MynahError } from '@mynah/core'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** What any operation may come to. */
const ALWAYS = new Set([
  'MYNAH_CONFLICT',
  'MYNAH_CLOSED',
  'MYNAH_UNREACHABLE',
  'MYNAH_UNCONFIRMED',
  // Of a revision that is named, was superseded, and went with a compaction.
  'MYNAH_HISTORY_GONE',
])
/** What a failing or full disk may make of an operation. */
const DISK = new Set([
  'MYNAH_STORAGE',
  'MYNAH_DISK_FULL',
  'MYNAH_SHARD_CORRUPT',
  'MYNAH_RECORD_LOST',
  'MYNAH_INDEX_CORRUPT',
  'MYNAH_MANIFEST_CORRUPT',
  'MYNAH_UNREACHABLE',
])
/** What an operation that asks mirrors may come to. */
const NETWORK = new Set([
  'MYNAH_UNREACHABLE',
  'MYNAH_MIRROR_UNREACHABLE',
  'MYNAH_MIRROR_ANSWER',
  'MYNAH_DATABASE_UNKNOWN',
  'MYNAH_STORAGE',
])

/** Judges failures, and what stands in a database after it was opened. */
export class Check {
  readonly #ground: Ground

  constructor(ground: Ground) {
    this.#ground = ground
  }

  /**
   * @param mirrors that the machine knew when the operation began; default: now
   * @throws Violation unless this may happen here and now
   */
  operationFailed(
    machine: Computer,
    operation: string,
    error: unknown,
    mirrors = machine.setup.mirrors,
  ): void {
    if (error instanceof Violation) throw error
    if (error instanceof Error && error.message === 'waited long enough') return
    if (error instanceof MynahError) {
      const { code } = error
      this.#ground.count(`failed with ${code}`)
      if (ALWAYS.has(code) || (machine.diskFailed && DISK.has(code))) return
      const asked = mirrors.length > 0 || machine.setup.mirrors.length > 0
      if (asked && NETWORK.has(code) && code !== 'MYNAH_STORAGE') return
    }
    throw new Violation(
      'an operation fails for a reason',
      `${machine.name}: ${operation}: ${String(error)}`,
      {
        cause: error,
      },
    )
  }

  startFailed(machine: Computer, error: unknown): void {
    if (error instanceof MynahError && machine.diskFailed && DISK.has(error.code)) return
    this.#ground.fail(
      new Violation('a database opens', `${machine.name}: ${String(error)}`, { cause: error }),
    )
  }

  /** After each start: everything that was acknowledged on this disk is there. */
  async opened(machine: Computer, process: Process): Promise<void> {
    const { model } = this.#ground
    const leaves = new Map<string, readonly string[]>()
    const { diskName } = machine
    for (const { id, rev } of [...model.required(diskName)]) {
      let revs = leaves.get(id)
      if (revs === undefined) {
        const records = await process.replica.leaves(id)
        for (const { rev, deleted, path } of records) model.learnPath(id, rev, deleted, path)
        revs = records.map((record) => record.rev)
        leaves.set(id, revs)
      }
      if (!process.alive || diskName !== machine.diskName) return
      if (!revs.some((leaf) => leaf === rev || model.isAncestor(id, rev, leaf)))
        throw new Violation(
          'what was acknowledged is there after a crash',
          `${machine.name}: ${id} ${rev}, leaves ${revs.join()}`,
        )
    }
  }
}
