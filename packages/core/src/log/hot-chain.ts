import type { Storage, StoredFile } from '../storage/storage.js'
import type { Finding, Suspect } from './finding.js'
import { type FoundFiles, numberOf, UNKNOWN_SPAN, unnamed } from './found-files.js'
import {
  HOT_HEADER_BYTES,
  type HotContent,
  type HotEnd,
  type HotGroup,
  type PastHotFile,
  readHotFile,
} from './hot-file.js'
import type { Incarnation, ManifestData } from './manifest.js'
import { readPatiently } from './patient-read.js'
import { type SeqSpan, uncovered } from './span.js'

/** The hot files of a log as they were found: which of their groups count by what the files say of each other. */
export interface HotChain {
  /** With their records, in order of seq, none overlapping another. */
  readonly groups: readonly CountedGroup[]
  /** Every record up to here was durable once. */
  readonly floor: number
  readonly findings: readonly Finding[]
  readonly suspects: readonly Suspect[]
  /** Named, and missing or without anything that can be read. */
  readonly missing: readonly string[]
  /** Not named, and needed. */
  readonly adopted: readonly string[]
  /** Not named, and not needed. */
  readonly leftover: readonly string[]
  /** Of the files that were adopted. */
  readonly incarnations: readonly Incarnation[]
  /** The files, when the log ends at `head`. */
  past(head: number): readonly PastHotFile[]
  /** The end of the last file, when the log ends at `head` and the file named by `without` is not part of it. */
  end(head: number, without?: string): HotEnd | undefined
}

export interface CountedGroup extends SeqSpan {
  readonly group: HotGroup
}

interface ChainFile {
  readonly name: string
  readonly length: number
  readonly content: HotContent
  /** Where its successor says that it ends. */
  readonly limit: HotEnd | undefined
  /** Seqs at or past this one stand in later files. */
  readonly bound: number
}

/**
 * Reads the hot files of the manifest, and those that it should name.
 * @param sealed what shards cover, in order
 * @throws FormatUnknownError, StorageError
 */
export async function readHotChain(
  storage: Storage,
  data: ManifestData,
  files: FoundFiles,
  sealed: readonly SeqSpan[],
): Promise<HotChain> {
  const named = new Set(data.hot)
  const names = [...data.hot, ...unnamed(files, 'hot', data.hot).map(({ name }) => name)]
  const lists = {
    findings: [] as Finding[],
    missing: [] as string[],
    adopted: [] as string[],
    leftover: [] as string[],
  }
  const chain: ChainFile[] = []
  const ends = new Map<number, HotEnd>()
  let bound = Number.MAX_SAFE_INTEGER
  // From the newest to the oldest: a file tells how far the one before it counts.
  for (const name of names.sort((a, b) => numberOf(b) - numberOf(a))) {
    const limit = ends.get(numberOf(name))
    const { content, fault, foreign } = await readOne(storage, files.get(name), limit, data.id)
    if (fault !== undefined && (named.has(name) || foreign)) lists.findings.push({ file: name, fault })
    if (named.has(name)) {
      if (content === undefined) lists.missing.push(name)
    } else if (content === undefined || numberOf(name) < data.nextFile) {
      // Named once and dropped: what it holds is sealed, or was refused and must not come back.
      if (!foreign && !overlaps(content, data.lost)) lists.leftover.push(name)
      continue
    } else if (isNeeded(content, bound, sealed)) {
      lists.adopted.push(name)
      lists.findings.push({ file: name, fault: 'the manifest did not name it' })
    } else {
      lists.leftover.push(name)
      continue
    }
    if (content === undefined) continue
    chain.unshift({ name, length: files.get(name)!.length, content, limit, bound })
    bound = Math.min(bound, content.header?.firstSeq ?? content.groups[0]!.firstSeq)
    const predecessor = content.header?.predecessor
    if (predecessor !== undefined && !ends.has(predecessor.number)) ends.set(predecessor.number, predecessor)
  }
  return describe(chain, lists)
}

type FileLists = Pick<HotChain, 'findings' | 'missing' | 'adopted' | 'leftover'>

function describe(chain: readonly ChainFile[], lists: FileLists): HotChain {
  const adopted = chain.filter(({ name }) => lists.adopted.includes(name))
  return {
    ...lists,
    groups: chain.flatMap(countedGroups),
    floor: chain.reduce(
      (highest, { content }) => Math.max(highest, content.synced, (content.header?.firstSeq ?? 1) - 1),
      0,
    ),
    suspects: [
      ...lists.missing.map((file) => ({ file, fault: 'it cannot be read', ...UNKNOWN_SPAN })),
      ...chain.flatMap(suspectsOf),
    ],
    incarnations: adopted.flatMap(({ content: { header } }) =>
      header === undefined ? [] : [{ id: header.incarnation, firstSeq: header.firstSeq }],
    ),
    past: (head) => chain.map((file) => pastFile(file, head)),
    end: (head, without) => {
      const last = chain.findLast(({ name }) => name !== without)
      return last && endOf(last, head)
    },
  }
}

interface ReadResult {
  readonly content?: HotContent
  readonly fault?: string
  readonly foreign?: boolean
}

async function readOne(
  storage: Storage,
  file: StoredFile | undefined,
  limit: HotEnd | undefined,
  database: string,
): Promise<ReadResult> {
  if (file === undefined) return { fault: 'it is missing' }
  const { name, length } = file
  const part = { name, offset: 0, length: Math.min(length, limit?.length ?? length) }
  const content = await readPatiently(
    storage,
    part,
    (bytes) => readHotFile(name, bytes),
    ({ header, suspects }) => header !== undefined && suspects.length === 0,
  )
  if (content.header === undefined)
    return content.groups.length === 0
      ? { fault: 'it cannot be read' }
      : { content, fault: 'its header is damaged' }
  if (content.header.database === database) return { content }
  return { fault: `it belongs to the database ${content.header.database}`, foreign: true }
}

/** Whether it holds records that stand nowhere else: then its name went with a newer copy of the manifest. */
function isNeeded({ groups }: HotContent, bound: number, sealed: readonly SeqSpan[]): boolean {
  return groups.some(
    (group) => uncovered(sealed, group.firstSeq, Math.min(lastSeqOf(group), bound - 1)).length > 0,
  )
}

/** Whether it holds what is known as lost: somebody brought it back, and may want to look at it. */
function overlaps(content: HotContent | undefined, lost: readonly SeqSpan[]): boolean {
  return (
    content?.groups.some(
      (group) => group.records.length > 0 && uncovered(lost, group.firstSeq, lastSeqOf(group)).length === 0,
    ) === true
  )
}

function lastSeqOf({ firstSeq, records }: HotGroup): number {
  return firstSeq + records.length - 1
}

function countedGroups({ content, bound }: ChainFile): readonly CountedGroup[] {
  return content.groups
    .filter((group) => group.records.length > 0 && lastSeqOf(group) < bound)
    .map((group) => ({ group, firstSeq: group.firstSeq, lastSeq: lastSeqOf(group) }))
}

function suspectsOf(file: ChainFile): readonly Suspect[] {
  const { name, content, limit, bound } = file
  const last = content.groups.at(-1)
  const reached = last?.checksum ?? content.header?.checksum
  const suspects = content.suspects.map((suspect) => ({
    ...suspect,
    lastSeq: Math.min(suspect.lastSeq, bound - 1),
  }))
  if (limit === undefined || reached === limit.checksum) return suspects
  const firstSeq = last === undefined ? (content.header?.firstSeq ?? 1) : lastSeqOf(last) + 1
  return [
    ...suspects,
    { file: name, fault: 'it does not end as its successor says', firstSeq, lastSeq: bound - 1 },
  ]
}

function pastFile(file: ChainFile, head: number): PastHotFile {
  const counted = countedGroups(file).filter(({ lastSeq }) => lastSeq <= head)
  return {
    name: file.name,
    lastSeq: counted.at(-1)?.lastSeq ?? 0,
    counted: endOf(file, head).length,
    length: file.length,
  }
}

function endOf({ name, content, limit }: ChainFile, head: number): HotEnd {
  const number = numberOf(name)
  if (limit !== undefined) return limit
  // Nothing proves an empty group at the end to be durable, and without records nobody misses it.
  const last = content.groups.findLast((group) => group.records.length > 0 && lastSeqOf(group) <= head)
  return last === undefined
    ? { number, length: HOT_HEADER_BYTES, checksum: content.header?.checksum ?? 0 }
    : { number, length: last.end, checksum: last.checksum }
}
