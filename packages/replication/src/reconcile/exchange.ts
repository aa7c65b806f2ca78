import type { MynahError } from '@mynah/core'
import type { LeafRef, LogRecord, MergeReport, Parked, Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import type { Progress } from '../mirror/progress.js'
import { wireLimits } from '../protocol/names.js'
import { recordBytes } from '../protocol/record-bytes.js'
import { add, type Sender, type Sent } from '../push/sender.js'
import type { Scope } from '../scope/scope.js'
import type { Difference } from './differences.js'

/** Raw bytes of what is gathered for one push. */
const PUSH_BYTES = 1024 * 1024
/** Leaves whose bodies are looked for together. */
const SUPPLIED_LEAVES = 50
/** Pages of what a mirror owes: enough for any database, and an end for one that tells of more and more. */
const OWED_PAGES = 10_000

/** Between whom documents that differ are exchanged. */
export interface ExchangeOptions {
  readonly replica: Replica
  readonly client: MirrorClient
  readonly sender: Sender
  readonly progress: Progress
  readonly scope: Scope
  readonly observer: ExchangeObserver
}

/** What an exchange tells of its work. */
interface ExchangeObserver {
  /** After each merge: what it came to, and the ids of documents that changed. */
  onPulled(report: MergeReport, changed: readonly string[]): void
  /** After each push that was answered; `documents` were acknowledged. */
  onPushed(documents: number): void
  /** Documents that the mirror refused. */
  onRefused(refused: readonly Parked[]): void
  /** A record of the mirror's that could not be taken; the others are. */
  onUnfit(error: MynahError): void
}

/** Exchanges documents that differ, by id: all leaves of each, with whole paths. */
export class Exchange {
  readonly #options: ExchangeOptions

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  /** Takes what the mirror has of the documents, then sends what it lacks. */
  async run(differences: readonly Difference[], signal: AbortSignal): Promise<void> {
    const there = differences.flatMap((one) => (one.there ? [one.id] : []))
    const theirs = await this.#pull(there, signal)
    const here = differences.flatMap((one) => (one.here ? [one.id] : []))
    for await (const leaves of this.#batches(here)) {
      await this.#send(
        leaves.filter((leaf) => theirs.get(leaf.id)?.has(keyOf(leaf)) !== true),
        signal,
      )
    }
  }

  /** Sends what the mirror wants of our own documents that it is not asked about. */
  async offer(ids: readonly string[], signal: AbortSignal): Promise<void> {
    for await (const leaves of this.#batches(ids)) {
      await this.#send(await this.#options.sender.missing(leaves, signal), signal)
    }
  }

  /** Sends what is held here of the bodies that the mirror is to hold and does not, and what is held under them. */
  async supply(signal: AbortSignal): Promise<void> {
    const { client, sender, replica } = this.#options
    let after: string | undefined
    for (let page = 0; page < OWED_PAGES; page++) {
      const { told, position } = await client.owed(after, signal)
      await sender.see(position, signal)
      for (let start = 0; start < told.leaves.length; start += SUPPLIED_LEAVES) {
        const leaves = told.leaves.slice(start, start + SUPPLIED_LEAVES)
        const held = await replica.bodies(leaves, { whole: true })
        const found = new Set(held.map(keyOf))
        const sent = await sender.send(held, true, signal)
        add(
          sent,
          await sender.sendUnder(
            leaves.filter((leaf) => !found.has(keyOf(leaf))),
            signal,
          ),
        )
        await this.#settle(sent)
      }
      if (told.next === undefined || told.next === after) return
      after = told.next
    }
  }

  /** All leaves that the mirror told of each document, by the document's id. */
  async #pull(ids: readonly string[], signal: AbortSignal): Promise<Map<string, Set<string>>> {
    const { client, sender, scope } = this.#options
    const theirs = new Map<string, Set<string>>()
    let wanted = [...ids]
    while (wanted.length > 0) {
      const asked = wanted.slice(0, wireLimits.fetchLeaves)
      const { told, position } = await client.documents(asked, scope.bodies, signal)
      await sender.see(position, signal)
      const known = new Set(asked)
      const records = told.filter(({ id }) => known.has(id))
      for (const record of records) {
        const keys = theirs.get(record.id) ?? new Set()
        theirs.set(record.id, keys.add(keyOf(record)))
      }
      await this.#merge(records)
      // An answer without any says that none of them is there any more.
      wanted = wanted.slice(records.length === 0 ? asked.length : 0).filter((id) => !theirs.has(id))
    }
    return theirs
  }

  async #merge(records: readonly LogRecord[]): Promise<void> {
    if (records.length === 0) return
    const { replica, progress, observer } = this.#options
    const report = await replica.merge(records, { whole: true, from: 'mirror' })
    progress.pulled(report)
    const changed = new Set<string>()
    for (const [i, outcome] of report.outcomes.entries()) {
      if (outcome.result === 'new') changed.add(records[i]!.id)
      if (outcome.result === 'refused') observer.onUnfit(outcome.error)
    }
    observer.onPulled(report, [...changed])
  }

  /** The documents' leaves, of as many at a time as fit into one push, one at least. */
  async *#batches(ids: readonly string[]): AsyncGenerator<readonly LogRecord[]> {
    let batch: LogRecord[] = []
    let bytes = 0
    for (const id of ids) {
      for (const leaf of await this.#options.replica.leaves(id)) {
        batch.push(leaf)
        bytes += recordBytes(leaf)
      }
      if (bytes >= PUSH_BYTES || batch.length >= wireLimits.batchRecords) {
        yield batch
        batch = []
        bytes = 0
      }
    }
    if (batch.length > 0) yield batch
  }

  /** Sends leaves that the mirror lacks, or in place of those that are not held what is held under them. */
  async #send(leaves: readonly LogRecord[], signal: AbortSignal): Promise<void> {
    const { replica, sender } = this.#options
    const sent: Sent = { accepted: new Set(), refused: [] }
    add(
      sent,
      await sender.send(
        leaves.filter(({ kind }) => kind === 'revision'),
        true,
        signal,
      ),
    )
    const unheld: LogRecord[] = []
    for (const leaf of leaves.filter(({ kind }) => kind === 'stub')) {
      // Of a document that is too large to come with all its bodies some are stubs all the same.
      const found = await replica.bodies([leaf], { whole: true })
      if (found.length === 0) unheld.push(leaf)
      else add(sent, await sender.send(found, true, signal))
    }
    add(sent, await sender.sendUnder(unheld, signal))
    await this.#settle(sent)
  }

  async #settle({ accepted, refused }: Sent): Promise<void> {
    const { progress, observer } = this.#options
    for (const { id } of refused) accepted.delete(id)
    if (accepted.size === 0 && refused.length === 0) return
    // Stored with the checkpoint, at the end.
    await progress.park(accepted, refused)
    observer.onPushed(accepted.size)
    if (refused.length > 0) observer.onRefused(refused)
  }
}

function keyOf({ id, rev, bodyHash }: LeafRef): string {
  return `${rev} ${bodyHash?.join() ?? ''} ${id}`
}
