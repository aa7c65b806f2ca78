import type { Storage } from '../storage/storage.js'
import type { Finding, Suspect } from './finding.js'
import { type FoundFiles, numberOf, UNKNOWN_SPAN, unnamed } from './found-files.js'
import type { ManifestData } from './manifest.js'
import { readSegment, type SegmentContent } from './segment-reader.js'
import { type OpenSegment, SHARDS_PER_SYNC } from './segment-writer.js'
import { mergeSpans, type SeqSpan, uncovered } from './span.js'

/** The segments of a log as they were found. */
export interface SegmentSet {
  readonly segments: readonly (SegmentContent & { readonly closed: boolean })[]
  /** Every record up to here was durable once. */
  readonly floor: number
  readonly findings: readonly Finding[]
  readonly suspects: readonly Suspect[]
  /** Named, and not there. */
  readonly missing: readonly string[]
  /** Not named, and needed. */
  readonly adopted: readonly string[]
  /** Not named, and not needed. */
  readonly leftover: readonly string[]
}

/** Reads the segments of the manifest, and those that it should name. @throws FormatUnknownError, StorageError */
export async function readSegments(
  storage: Storage,
  data: ManifestData,
  files: FoundFiles,
): Promise<SegmentSet> {
  const segments: (SegmentContent & { closed: boolean })[] = []
  const findings: Finding[] = []
  const missing: string[] = []
  for (const { name, closed } of data.segments) {
    const file = files.get(name)
    if (file === undefined) missing.push(name)
    else segments.push({ ...(await readSegment(storage, file, { closed, database: data.id })), closed })
  }
  for (const name of missing) findings.push({ file: name, fault: 'it is missing' })
  const adopted: string[] = []
  const leftover: string[] = []
  const names = data.segments.map(({ name }) => name)
  for (const file of unnamed(files, 'segment', names)) {
    const content = await readSegment(storage, file, { closed: false, database: data.id })
    const spans = content.frames.map(spanOf)
    const covered = mergeSpans(segments.flatMap(({ frames }) => frames.map(spanOf)))
    if (content.foreign) findings.push(...content.findings)
    else if (numberOf(file.name) >= data.nextFile && spans.some((span) => !isCovered(span, covered))) {
      adopted.push(file.name)
      findings.push({ file: file.name, fault: 'the manifest did not name it' })
      segments.push({ ...content, closed: false })
    } else if (!spans.some((span) => isCovered(span, data.lost))) {
      // Dropped after a failure, or replaced. One that holds what is known as lost was brought back by somebody.
      leftover.push(file.name)
    }
  }
  const suspects = [
    ...missing.map((file) => ({ file, fault: 'it is missing', ...UNKNOWN_SPAN })),
    ...segments.flatMap((segment) => segment.suspects),
  ]
  findings.push(...segments.flatMap((segment) => segment.findings))
  return { segments, floor: floorOf(segments, suspects), findings, suspects, missing, adopted, leftover }
}

/**
 * The segments without the shards that nothing proves to be durable and whose records stand elsewhere: of a segment
 * without footer these may be the last that shared a sync, as it may have failed. A hot file goes only after that sync.
 * @param hot what hot files hold
 */
export function provenSegments({ segments }: SegmentSet, hot: readonly SeqSpan[]): SegmentSet['segments'] {
  const isProven = ({ closed, frames }: SegmentSet['segments'][number], index: number): boolean =>
    closed || index < frames.length - SHARDS_PER_SYNC
  const proven = segments.flatMap((segment) => segment.frames.filter((_, index) => isProven(segment, index)))
  let covered = mergeSpans([...hot, ...proven.map(spanOf)])
  const kept: SegmentSet['segments'][number][] = []
  // From the newest to the oldest: what failed was written again to a later one.
  for (const segment of segments.toReversed()) {
    const frames = segment.frames.filter(
      (frame, index) => isProven(segment, index) || !isCovered(spanOf(frame), covered),
    )
    covered = mergeSpans([...covered, ...frames.map(spanOf)])
    kept.unshift(frames.length === segment.frames.length ? segment : { ...segment, frames, clean: false })
  }
  return kept
}

/** Which segment to go on with, and which have no footer and cannot be gone on with. */
export function openSegments(segments: SegmentSet['segments']): {
  readonly current: OpenSegment | undefined
  readonly torn: readonly OpenSegment[]
} {
  const torn: OpenSegment[] = []
  let current: OpenSegment | undefined
  for (const segment of segments) {
    const { name, salt, frames, length } = segment
    if (segment.closed || salt === undefined) continue
    const open = { name, salt, frames, length }
    if (segment.clean && segment === segments.at(-1)) current = open
    else torn.push(open)
  }
  return { current, torn }
}

/** Only durable records are sealed: also a shard that is damaged speaks for what it held. */
function floorOf(segments: readonly SegmentContent[], suspects: readonly Suspect[]): number {
  let floor = 0
  for (const { frames } of segments)
    for (const frame of frames) floor = Math.max(floor, spanOf(frame).lastSeq)
  for (const { lastSeq } of suspects) if (lastSeq !== UNKNOWN_SPAN.lastSeq) floor = Math.max(floor, lastSeq)
  return floor
}

function isCovered({ firstSeq, lastSeq }: SeqSpan, spans: readonly SeqSpan[]): boolean {
  return uncovered(spans, firstSeq, lastSeq).length === 0
}

function spanOf({ firstSeq, span }: { readonly firstSeq: number; readonly span: number }): SeqSpan {
  return { firstSeq, lastSeq: firstSeq + span - 1 }
}
