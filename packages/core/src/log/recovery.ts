import type { Env } from '../env/env.js'
import { ShardCorruptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { FileNumbers } from './file-name.js'
import type { Finding, Suspect } from './finding.js'
import { type FoundFiles, numberOf } from './found-files.js'
import { type HotChain, readHotChain } from './hot-chain.js'
import { type HotFiles, rewriteGroups } from './hot-rewrite.js'
import { HotTail } from './hot-tail.js'
import { type Manifest, type ManifestData, withIncarnation } from './manifest.js'
import { openSegments, provenSegments, readSegments, type SegmentSet } from './segment-set.js'
import type { OpenSegment } from './segment-writer.js'
import { readShard } from './shard-cache.js'
import { mergeSpans, type SeqSpan, spanFrom, uncovered } from './span.js'
import { lastSeqOf, SpanTable, type StoredShard } from './span-table.js'

/** The log as opening found it. */
export interface Recovered {
  /** The last seq; it and all before it are durable, or lost. */
  readonly head: number
  readonly table: SpanTable
  readonly tail: HotTail
  readonly lost: readonly SeqSpan[]
  readonly findings: readonly Finding[]
  readonly numbers: FileNumbers
  readonly hot: HotFiles
  readonly segments: readonly { readonly name: string; readonly length: number }[]
  readonly openSegments: { readonly current: OpenSegment | undefined; readonly torn: readonly OpenSegment[] }
}

export interface RecoveryOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  /** The last seq that the index covers: it was durable once. */
  readonly watermark: number
  readonly readOnly: boolean
}

/**
 * Reads what a log left behind, and decides what of it counts.
 *
 * Up to the floor, which is the highest seq that anything durable speaks of (a `synced`, a later file, a shard, the
 * index's watermark), every record was there once: where one is missing now it is lost, and its seq stays so. Past the
 * floor the log ends before the first record that is missing: a crash tore it there, and nobody had been told. What
 * counts past the floor is written anew, unless opened read-only. Nothing is cut off on disk: the next hot file says how
 * far its predecessor counts.
 *
 * @throws FormatUnknownError, StorageError
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { storage, manifest, watermark } = options
  const files: FoundFiles = new Map((await storage.list()).map((file) => [file.name, file]))
  const segments = await readSegments(storage, manifest.data, files)
  const lostBefore = manifest.data.lost
  const hot = await readHotChain(
    storage,
    manifest.data,
    files,
    (await tableOf(options, segments.segments, lostBefore)).spans(),
  )
  const kept = provenSegments(segments, hot.groups)
  const table = await tableOf(options, kept, lostBefore)
  const sealed = table.spans()
  const known = mergeSpans([...sealed, ...lostBefore])
  const floor = Math.max(watermark, hot.floor, segments.floor, known.at(-1)?.lastSeq ?? 0)
  const present = mergeSpans([...known, ...hot.groups])
  const head = contiguousEnd(present, floor)
  const newlyLost = uncovered(present, 1, floor)
  const lost = mergeSpans([...lostBefore, ...newlyLost])
  if (!options.readOnly) await settle(options, { hot, segments, lost, newlyLost })
  const numbers = new FileNumbers(nextNumber(manifest.data, files))
  const unproven = hot.groups.filter(({ lastSeq }) => lastSeq > floor && lastSeq <= head)
  const hotFiles =
    unproven.length === 0 || options.readOnly
      ? { files: hot.past(head), end: hot.end(head) }
      : await rewriteGroups(hot, unproven, { ...options, numbers })
  const suspects = [...hot.suspects, ...segments.suspects]
  return {
    head,
    table,
    tail: tailOf(hot, sealed, head),
    lost,
    findings: [
      ...manifest.damaged.map((file) => ({ file, fault: 'it cannot be read' })),
      ...segments.findings,
      ...hot.findings,
      ...newlyLost.map((span) => blame(span, suspects)),
    ],
    numbers,
    hot: hotFiles,
    segments: segments.segments,
    openSegments: openSegments(kept),
  }
}

/** Where shards are read. */
type Place = Pick<RecoveryOptions, 'storage' | 'env'>

async function tableOf(
  place: Place,
  segments: SegmentSet['segments'],
  lost: readonly SeqSpan[],
): Promise<SpanTable> {
  const table = new SpanTable()
  for (const { name, frames } of segments)
    for (const frame of frames) {
      const shard = { ...frame, segment: name }
      if (await isKept(place, shard, lost)) table.add(shard)
    }
  return table
}

/** A shard that was given up counts again only when somebody mended it. */
async function isKept(
  { storage, env }: Place,
  shard: StoredShard,
  lost: readonly SeqSpan[],
): Promise<boolean> {
  if (uncovered(lost, shard.firstSeq, lastSeqOf(shard)).length > 0) return true
  try {
    await readShard(storage, shard, env)
    return true
  } catch (error) {
    if (error instanceof ShardCorruptError || error instanceof StorageError) return false
    throw error
  }
}

/** The end of what follows the floor without a gap. */
function contiguousEnd(present: readonly SeqSpan[], floor: number): number {
  const next = spanFrom(present, floor + 1)
  return next !== undefined && next.firstSeq <= floor + 1 ? next.lastSeq : floor
}

function nextNumber(data: ManifestData, files: FoundFiles): number {
  const numbers = [...files.keys()].map((name) => numberOf(name) + 1)
  return numbers.reduce((highest, number) => Math.max(highest, number), data.nextFile)
}

function blame({ firstSeq, lastSeq }: SeqSpan, suspects: readonly Suspect[]): Finding {
  const culprit = suspects.find((suspect) => suspect.firstSeq <= lastSeq && suspect.lastSeq >= firstSeq)
  return {
    file: culprit?.file ?? 'manifest',
    fault: culprit?.fault ?? 'no file holds these records',
    firstSeq,
    lastSeq,
  }
}

function tailOf(hot: HotChain, sealed: readonly SeqSpan[], head: number): HotTail {
  const tail = new HotTail()
  for (const { group, ...span } of hot.groups) {
    if (span.lastSeq > head) break
    const bytesEach = group.payload.length / group.records.length
    for (const { firstSeq, lastSeq } of uncovered(sealed, span.firstSeq, span.lastSeq)) {
      const records = group.records.slice(firstSeq - span.firstSeq, lastSeq + 1 - span.firstSeq)
      tail.add(firstSeq, records, bytesEach * records.length)
    }
  }
  return tail
}

interface Outcome {
  readonly hot: HotChain
  readonly segments: SegmentSet
  readonly lost: readonly SeqSpan[]
  readonly newlyLost: readonly SeqSpan[]
}

/** Makes the manifest say what was found, and removes what a crash left. A whole log is left as it is. */
async function settle(options: RecoveryOptions, outcome: Outcome): Promise<void> {
  const { storage, manifest, watermark } = options
  const { hot, segments, lost, newlyLost } = outcome
  const missing = new Set([...hot.missing, ...segments.missing])
  const adopted = [...hot.adopted, ...segments.adopted]
  if (missing.size > 0 || adopted.length > 0 || newlyLost.length > 0) {
    const byNumber = (a: string, b: string): number => numberOf(a) - numberOf(b)
    await manifest.update((data) => ({
      hot: [...data.hot.filter((name) => !missing.has(name)), ...hot.adopted].sort(byNumber),
      segments: [
        ...data.segments.filter(({ name }) => !missing.has(name)),
        ...segments.adopted.map((name) => ({ name, closed: false })),
      ],
      incarnations: hot.incarnations.reduce(
        (known, next) =>
          known.some(({ id, firstSeq }) => id === next.id || firstSeq > next.firstSeq)
            ? known
            : withIncarnation(known, next),
        data.incarnations,
      ),
      nextFile: adopted.reduce((highest, name) => Math.max(highest, numberOf(name) + 1), data.nextFile),
      lost,
      damage: missing.size > 0 || newlyLost.length > 0 ? data.damage + 1 : data.damage,
      // Of a hot file that is gone nobody knows how far it went.
      ...((hot.missing.length > 0 || newlyLost.some(({ lastSeq }) => lastSeq > watermark)) && {
        doubt: true,
      }),
    }))
  }
  for (const name of [...hot.leftover, ...segments.leftover]) await storage.remove(name)
}
