import { MynahError, ShardCorruptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { Finding } from './finding.js'
import { readHotFile } from './hot-file.js'
import type { HotTail } from './hot-tail.js'
import type { HotWriter } from './hot-writer.js'
import type { LogReader } from './log-reader.js'
import type { LostRecords } from './lost-records.js'
import type { Manifest, SegmentEntry } from './manifest.js'
import { readPatiently } from './patient-read.js'
import { decodeFrame, FRAME_HEADER_BYTES } from './segment.js'
import { readSegment } from './segment-reader.js'
import { mergeSpans, uncovered } from './span.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'

interface VerifyProgress {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** How a check of the log goes. */
export interface CheckOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

/** The parts of an open log, which goes on working meanwhile. */
interface VerifyOptions extends CheckOptions {
  readonly storage: Storage
  readonly manifest: Manifest
  readonly hot: HotWriter
  readonly tail: HotTail
  readonly table: SpanTable
  readonly lost: LostRecords
  readonly reader: LogReader
}

/**
 * Reads all files of a log, decodes all shards, and checks that every seq has its place. A shard that cannot be read is
 * given up, as by any reader. What was lost before is no finding.
 */
export async function* verifyLog(options: VerifyOptions): AsyncGenerator<Finding> {
  const { manifest, hot, table, signal } = options
  const progress = startProgress(options)
  for (const file of await manifest.damagedCopies()) yield { file, fault: 'it cannot be read' }
  yield* gaps(options)
  for (const { name, counted } of hot.files()) {
    signal?.throwIfAborted()
    yield* verifyHotFile(options, name, counted)
    progress(counted)
  }
  for (const entry of manifest.data.segments)
    yield* verifySegment(options, entry, table.in(entry.name), progress)
}

function startProgress({ hot, table, onProgress }: VerifyOptions): (bytes: number) => void {
  const totalBytes = table.storedBytes + hot.files().reduce((sum, { counted }) => sum + counted, 0)
  let doneBytes = 0
  return (bytes) => {
    doneBytes += bytes
    onProgress?.({ doneBytes, totalBytes })
  }
}

function* gaps({ hot, tail, table, lost }: VerifyOptions): Generator<Finding> {
  const present = mergeSpans([...table.spans(), ...tail.spans(), ...lost.spans])
  for (const span of uncovered(present, 1, hot.head))
    yield { file: 'manifest', fault: 'no file holds these records', ...span }
}

async function* verifyHotFile(
  options: VerifyOptions,
  name: string,
  counted: number,
): AsyncGenerator<Finding> {
  const { storage, hot, lost } = options
  const isSealed = () => !hot.files().some((file) => file.name === name)
  try {
    // One that was removed can still be read where it is open.
    if (!(await storage.list()).some((file) => file.name === name)) {
      if (!isSealed()) yield { file: name, fault: 'it is missing' }
      return
    }
    const { header, suspects, length } = await readPatiently(
      storage,
      { name, offset: 0, length: counted },
      (bytes) => ({ ...readHotFile(name, bytes), length: bytes.length }),
      (read) => read.header !== undefined && read.suspects.length === 0 && read.length === counted,
    )
    if (header === undefined) yield { file: name, fault: 'its header is damaged' }
    if (length < counted) yield { file: name, fault: `it has ${length} bytes instead of ${counted}` }
    for (const { fault, firstSeq, lastSeq } of suspects) {
      const span = { firstSeq, lastSeq: Math.min(lastSeq, hot.head) }
      if (span.lastSeq < firstSeq) yield { file: name, fault }
      else if (uncovered(lost.spans, firstSeq, span.lastSeq).length > 0) yield { file: name, fault, ...span }
    }
  } catch (error) {
    // Sealed and removed while it was our turn.
    if (error instanceof StorageError && isSealed()) return
    yield { file: name, fault: reasonOf(error) }
  }
}

async function* verifySegment(
  options: VerifyOptions,
  entry: SegmentEntry,
  shards: readonly StoredShard[],
  progress: (bytes: number) => void,
): AsyncGenerator<Finding> {
  const { storage, manifest, lost, signal } = options
  const { name, closed } = entry
  const findings: Finding[] = []
  const file = (await storage.list()).find((found) => found.name === name)
  if (file === undefined) findings.push({ file: name, fault: 'it is missing' })
  else {
    try {
      // One that is still written may end in the middle of a frame, but not before the first.
      findings.push(...(await readSegment(storage, file, { closed, database: manifest.data.id })).findings)
    } catch (error) {
      findings.push({ file: name, fault: reasonOf(error) })
    }
  }
  // Not where it was written anew to another file meanwhile.
  if (manifest.data.segments.some((segment) => segment.name === name)) yield* findings
  for (const shard of shards) {
    signal?.throwIfAborted()
    yield* verifyShard(options, shard)
    progress(shard.length)
  }
  await lost.record()
}

async function* verifyShard(
  { storage, reader, lost, table }: VerifyOptions,
  shard: StoredShard,
): AsyncGenerator<Finding> {
  const found = { file: shard.segment, firstSeq: shard.firstSeq, lastSeq: lastSeqOf(shard) }
  try {
    const { block } = (await reader.probe(shard)).shard
    if (!(await hasFrame(storage, shard)) && table.movedTo(shard) === undefined)
      yield { file: shard.segment, fault: `the frame at offset ${shard.offset} is damaged` }
    for (let index = 0; index < block.count; index++) {
      const record = block.record(index)
      // Decoded when they are read.
      void record.rev
      void record.body
    }
  } catch (error) {
    if (table.movedTo(shard) !== undefined) return
    const fault = reasonOf(error)
    if (error instanceof ShardCorruptError) lost.giveUp(shard, fault)
    yield { ...found, fault }
  }
}

/** Whether the shard's frame stands before it: how it is found where there is no footer. */
function hasFrame(storage: Storage, { segment, offset, shardCrc }: StoredShard): Promise<boolean> {
  const frame = { name: segment, offset, length: FRAME_HEADER_BYTES }
  return readPatiently(
    storage,
    frame,
    (bytes) => decodeFrame(bytes, 0, undefined)?.shardCrc === shardCrc,
    (same) => same,
  )
}

function reasonOf(error: unknown): string {
  if (error instanceof ShardCorruptError) return error.detail
  if (error instanceof MynahError) return error.message
  throw error
}
