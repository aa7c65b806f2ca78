import { crc32 } from '../bytes/hash.js'
import { FormatUnknownError } from '../errors.js'
import { limits } from '../limits.js'
import { parseFileName } from './file-name.js'
import type { Incarnation, ManifestData, ReplicationSettings, SegmentEntry } from './manifest-data.js'
import type { SeqSpan } from './span.js'

/**
 * The manifest's text, format 1: JSON for people and for us, then one line with the CRC-32 of all bytes before it.
 *
 *   {
 *     "magic": "mynah-manifest",
 *     "format": 1,
 *     "version": 12,            raised by each attempt to write; the higher of two copies counts
 *     …                         the members of `ManifestData`
 *   }
 *   crc32 0123abcd
 */
const MAGIC = 'mynah-manifest'
const FORMAT = 1
const CHECKSUM_LINE = /^crc32 ([0-9a-f]{8})\n$/
const CHECKSUM_LINE_BYTES = 15

export interface VersionedManifest {
  readonly version: number
  readonly data: ManifestData
}

export function encodeManifest({ version, data }: VersionedManifest): Uint8Array {
  const text = `${JSON.stringify({ magic: MAGIC, format: FORMAT, version, ...data }, undefined, 2)}\n`
  const body = new TextEncoder().encode(text)
  const line = new TextEncoder().encode(`crc32 ${crc32(body).toString(16).padStart(8, '0')}\n`)
  const bytes = new Uint8Array(body.length + line.length)
  bytes.set(body)
  bytes.set(line, body.length)
  return bytes
}

/**
 * Reads one copy; undefined when it is damaged.
 * @throws FormatUnknownError when it is whole, and newer
 */
export function decodeManifest(file: string, bytes: Uint8Array): VersionedManifest | undefined {
  const bodyLength = bytes.length - CHECKSUM_LINE_BYTES
  if (bodyLength < 0) return undefined
  const body = bytes.subarray(0, bodyLength)
  const line = CHECKSUM_LINE.exec(new TextDecoder().decode(bytes.subarray(bodyLength)))
  if (line === null || Number.parseInt(line[1]!, 16) !== crc32(body)) return undefined
  const value = parseJson(new TextDecoder().decode(body))
  if (!isObject(value) || value.magic !== MAGIC || !isCount(value.format)) return undefined
  if (value.format > FORMAT) throw new FormatUnknownError(file, value.format, FORMAT)
  const { magic: _, format: __, version, ...data } = value
  return isCount(version) && isManifestData(data) ? { version, data } : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isManifestData(value: unknown): value is ManifestData {
  return (
    isObject(value) &&
    isHexId(value.id) &&
    (value.mode === 'peer' || value.mode === 'mirror') &&
    typeof value.created === 'number' &&
    isArrayOf(value.incarnations, isIncarnation) &&
    value.incarnations.length <= limits.incarnations &&
    isCount(value.nextFile) &&
    isArrayOf(value.hot, (name): name is string => isFileOf('hot', name)) &&
    isArrayOf(value.segments, isSegmentEntry) &&
    isArrayOf(value.lost, isSeqSpan) &&
    (value.owed === undefined || isArrayOf(value.owed, isSeqSpan)) &&
    isCount(value.damage) &&
    (value.settled === undefined || isCount(value.settled)) &&
    (value.doubt === undefined || typeof value.doubt === 'boolean') &&
    (value.unseen === undefined || isSeqSpan(value.unseen)) &&
    (value.pins === undefined || isArrayOf(value.pins, isCount)) &&
    isCount(value.index) &&
    isCount(value.historySince) &&
    (value.historyTime === undefined || typeof value.historyTime === 'number') &&
    isReplicationSettings(value.replication)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isHexId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

function isArrayOf<T>(value: unknown, isOne: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne)
}

function isFileOf(kind: 'hot' | 'segment', name: unknown): name is string {
  return typeof name === 'string' && parseFileName(name)?.kind === kind
}

function isIncarnation(value: unknown): value is Incarnation {
  return isObject(value) && isHexId(value.id) && isCount(value.firstSeq)
}

function isSegmentEntry(value: unknown): value is SegmentEntry {
  return isObject(value) && isFileOf('segment', value.name) && typeof value.closed === 'boolean'
}

function isSeqSpan(value: unknown): value is SeqSpan {
  return (
    isObject(value) &&
    isCount(value.firstSeq) &&
    isCount(value.lastSeq) &&
    value.firstSeq >= 1 &&
    value.lastSeq >= value.firstSeq
  )
}

function isReplicationSettings(value: unknown): value is ReplicationSettings {
  const isMirror = (mirror: unknown): mirror is { url: string } =>
    isObject(mirror) && typeof mirror.url === 'string'
  const isText = (text: unknown): text is string => typeof text === 'string'
  const isLearnt = (mirror: unknown): mirror is { url: string; by: string[] } =>
    isObject(mirror) && isText(mirror.url) && isArrayOf(mirror.by, isText)
  const isPrefixes = (prefixes: unknown) => prefixes === undefined || isArrayOf(prefixes, isText)
  const isPart = (part: unknown): part is { prefixes?: string[] } =>
    isObject(part) && isPrefixes(part.prefixes) && isPrefixes(part.without)
  return (
    isObject(value) &&
    isArrayOf(value.mirrors, isMirror) &&
    (value.learnt === undefined || isArrayOf(value.learnt, isLearnt)) &&
    (value.removed === undefined || isArrayOf(value.removed, isText)) &&
    (value.left === undefined || isArrayOf(value.left, isPart))
  )
}
