import { compareBytes } from '../bytes/compare.js'
import { IndexCorruptError } from '../errors.js'
import { checkOptions } from './arguments.js'
import type { Context } from './context.js'
import type { IndexProgress } from './index-home.js'
import type { IndexKeeper } from './index-keeper.js'
import type { VerifyFinding } from './verify-finding.js'
import { verifyLogFiles } from './verify-log.js'

export type { VerifyFinding } from './verify-finding.js'

/** First the log is read, in bytes; then, where `repair` is asked and needed, the index built from it, in records. */
export type VerifyProgress =
  | { readonly phase: 'log'; readonly doneBytes: number; readonly totalBytes: number }
  | ({ readonly phase: 'index' } & IndexProgress)

/** What `verify` does beside looking. */
export interface VerifyOptions {
  /** Mends what can be mended from what is whole. Default false. Records that cannot be read count as lost either way. */
  readonly repair?: boolean
  /**
   * Takes what the database knows now for all there is, where records were lost of which nobody can tell whose they were
   * (`stats().doubt`): documents are called current again, also those that may be older than they were. Without it, that
   * waits for a whole exchange with a mirror. Default false.
   */
  readonly acceptLoss?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

/** What `verify` found, and did. */
export interface VerifyReport {
  readonly ok: boolean
  readonly findings: readonly VerifyFinding[]
  /** What `repair` mended. */
  readonly repaired: readonly string[]
}

/**
 * Reads and checks every byte of the log, then the index against itself and the log's head. A repair builds the index
 * anew while reads and writes go on; where its signal fires, the index stays as it was.
 */
export async function verify(
  context: Context,
  keeper: IndexKeeper,
  settle: () => Promise<void>,
  options: VerifyOptions,
): Promise<VerifyReport> {
  checkOptions('work', options)
  const { repair, acceptLoss, signal, onProgress } = options
  const log = await keeper.use(() =>
    verifyLogFiles(context, settle, {
      repair,
      acceptLoss,
      ...(signal && { signal }),
      onProgress: (progress) => onProgress?.({ phase: 'log', ...progress }),
    }),
  )
  const pins = await context.pins.verify(repair === true && !context.readOnly)
  const findings = [...log.findings, ...pins.findings]
  const repaired = [...log.repaired, ...pins.repaired]
  const fault = await keeper.use(() => indexFault(context, signal))
  if (fault !== undefined) {
    findings.push({ file: 'index', fault, ids: [] })
    if (repair && !context.readOnly) {
      await keeper.rebuild({
        signal,
        onProgress: (progress) => onProgress?.({ phase: 'index', ...progress }),
      })
      repaired.push('index')
    }
  }
  return { ok: findings.length === 0, findings, repaired }
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
