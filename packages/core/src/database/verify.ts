import { compareBytes } from '../bytes/compare.js'
import { IndexCorruptError } from '../errors.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import { type IndexHome, replay } from './index-home.js'
import { verifyLogFiles } from './verify-log.js'

export interface VerifyOptions {
  /** Mends what can be mended from what is whole. Default false. Records that cannot be read count as lost either way. */
  readonly repair?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void
}

/** Something that is not as it should be. */
export interface VerifyFinding {
  /** The file, or 'index'. */
  readonly file: string
  /** What is wrong, for people. */
  readonly fault: string
  /** Documents that it concerns, as far as they are known. */
  readonly ids: readonly string[]
}

export interface VerifyReport {
  readonly ok: boolean
  readonly findings: readonly VerifyFinding[]
  /** What `repair` mended. */
  readonly repaired: readonly string[]
}

/** Reads and checks every byte of the log, then the index against itself and the log's head. */
export async function verify(
  context: Context,
  home: IndexHome,
  { queue, settle }: { readonly queue: CommitQueue; readonly settle: () => Promise<void> },
  options: VerifyOptions,
): Promise<VerifyReport> {
  const log = await verifyLogFiles(context, settle, options)
  const findings = [...log.findings]
  const repaired = [...log.repaired]
  const fault = await indexFault(context, options.signal)
  if (fault !== undefined) {
    findings.push({ file: 'index', fault, ids: [] })
    if (options.repair && !context.readOnly) {
      await rebuildIndex(context, home, queue, options)
      repaired.push('index')
    }
  }
  return { ok: findings.length === 0, findings, repaired }
}

/** Builds the next index from the log and puts it in the place of this one. Reads go on meanwhile, writes wait. */
async function rebuildIndex(
  context: Context,
  home: IndexHome,
  queue: CommitQueue,
  options: VerifyOptions,
): Promise<void> {
  await queue.alone(async () => {
    const { log, manifest, index: old } = context
    const generation = manifest.data.index + 1
    await home.remove(generation)
    const index = await home.open(generation)
    try {
      await replay(log, index, { flush: true, ...(options.signal && { signal: options.signal }) })
      await index.flush()
      await manifest.update(() => ({ index: generation }))
    } catch (error) {
      await index.abandon()
      await home.remove(generation)
      throw error
    }
    context.index = index
    await old.abandon()
    await home.remove(generation - 1)
  })
}

/** Whether the index holds together and agrees with its own count and sum; undefined when it does. */
async function indexFault(context: Context, signal?: AbortSignal): Promise<string | undefined> {
  const { index } = context
  try {
    const { counted, kept: root } = await index.recount(signal)
    const same =
      counted.ids === root.ids &&
      counted.documents === root.documents &&
      counted.conflicts === root.conflicts &&
      counted.notHeld === root.notHeld &&
      compareBytes(counted.sum, root.sum) === 0
    return same ? undefined : 'its entries do not agree with its count and sum'
  } catch (error) {
    if (error instanceof IndexCorruptError) return error.detail
    throw error
  }
}
