import { IndexCorruptError } from '../errors.js'
import type { Finding } from '../log/finding.js'
import type { Context } from './context.js'
import { unseenUpTo } from './index-home.js'
import { lostIds } from './owed.js'
import type { VerifyFinding } from './verify-finding.js'

const DOUBT =
  'records were lost that the index had not seen: documents may be older here than they were, or missing'

/** Reads and checks every byte of the log, and mends of it what is whole elsewhere, when asked. */
export async function verifyLogFiles(
  context: Context,
  settle: () => Promise<void>,
  options: {
    readonly repair?: boolean | undefined
    readonly acceptLoss?: boolean | undefined
    readonly signal?: AbortSignal
    readonly onProgress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void
  },
): Promise<{ readonly findings: readonly VerifyFinding[]; readonly repaired: readonly string[] }> {
  const { log, readOnly } = context
  const found: Finding[] = []
  const owed = await lostIds(context)
  for await (const finding of log.verify(options)) found.push(finding)
  // What was lost is told again elsewhere: the ids are known from then.
  if (!readOnly) await settle()
  const findings = await withIds(context, found)
  if (owed.length > 0)
    findings.push({ file: 'log', fault: 'lost to damage before, and not got back yet', ids: owed })
  const { doubt } = context.manifest.data
  if (doubt) findings.push({ file: 'log', fault: DOUBT, ids: [] })
  if (readOnly) return { findings, repaired: [] }
  if (doubt && options.acceptLoss)
    await context.manifest.update((data) => ({ doubt: false, ...unseenUpTo(data, log.head) }))
  return { findings, repaired: options.repair ? await log.mend(found) : [] }
}

/** Damage that was found since the database was opened, also while it was. */
export async function damageOf(context: Context): Promise<readonly VerifyFinding[]> {
  return context.log.damage.length === 0 ? [] : withIds(context, context.log.damage)
}

/** The findings with the documents whose leaves the index places there, or did before they were lost. */
async function withIds(context: Context, found: readonly Finding[]): Promise<VerifyFinding[]> {
  const ids = found.map(() => new Set<string>())
  const spans = found.flatMap(({ firstSeq, lastSeq }, i) =>
    firstSeq === undefined || lastSeq === undefined ? [] : [{ firstSeq, lastSeq, ids: ids[i]! }],
  )
  const place = (seq: number, id: string): void => {
    for (const span of spans) if (seq >= span.firstSeq && seq <= span.lastSeq) span.ids.add(id)
  }
  for (const { seq, id } of context.harmed) place(seq, id)
  try {
    if (spans.length > 0)
      for await (const [id, { leaves }] of context.index.range({}))
        for (const { seq, bodySeq } of leaves) {
          place(seq, id)
          place(bodySeq, id)
        }
  } catch (error) {
    // Its own finding follows.
    if (!(error instanceof IndexCorruptError)) throw error
  }
  return found.map(({ file, fault }, i) => ({ file, fault, ids: [...ids[i]!] }))
}
