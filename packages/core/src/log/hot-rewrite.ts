import { ByteWriter } from '../bytes/byte-writer.js'
import { toHex } from '../bytes/hex.js'
import type { Env } from '../env/env.js'
import type { Storage } from '../storage/storage.js'
import { type FileNumbers, fileName } from './file-name.js'
import { encodeGroup, SALT_BYTES } from './group.js'
import type { CountedGroup, HotChain } from './hot-chain.js'
import type { PastHotFile } from './hot-file.js'
import { encodeHotHeader, type HotEnd } from './hot-file.js'
import type { Manifest } from './manifest.js'

const INCARNATION_BYTES = 16

/** The hot files, and the end of the last one. */
export interface HotFiles {
  readonly files: readonly PastHotFile[]
  readonly end: HotEnd | undefined
}

/**
 * Writes groups that nothing proves to be durable to a new hot file: a sync of the old one would prove nothing, as one
 * that failed before leaves pages that look written. The file is made whole before the manifest names it, and under a
 * number that is taken already: until it is named the old one counts, and whatever ends the process costs nothing.
 *
 * @param groups the last ones of the chain, at least one
 * @throws StorageError
 */
export async function rewriteGroups(
  hot: HotChain,
  groups: readonly CountedGroup[],
  options: {
    readonly storage: Storage
    readonly env: Env
    readonly manifest: Manifest
    readonly numbers: FileNumbers
  },
): Promise<HotFiles> {
  const { storage, manifest, numbers } = options
  const { firstSeq } = groups[0]!
  const before = hot.past(firstSeq - 1)
  const dropped = before.at(-1)?.lastSeq === 0 ? before.at(-1)?.name : undefined
  const number = numbers.take()
  const name = fileName('hot', number)
  const { bytes, checksum } = encodeFile(groups, hot.end(firstSeq - 1, dropped), options)
  await manifest.update(() => ({ nextFile: number + 1 }))
  await storage.replace(name, bytes)
  await manifest.update((data) => ({ hot: [...data.hot.filter((known) => known !== dropped), name] }))
  if (dropped !== undefined) await storage.remove(dropped)
  const { length } = bytes
  return {
    files: [
      ...before.filter((file) => file.name !== dropped),
      { name, lastSeq: groups.at(-1)!.lastSeq, counted: length, length },
    ],
    end: { number, length, checksum },
  }
}

/** The groups, and an empty one that says that they are durable: the file is there as a whole or not at all. */
function encodeFile(
  groups: readonly CountedGroup[],
  predecessor: HotEnd | undefined,
  { env, manifest }: { readonly env: Env; readonly manifest: Manifest },
): { readonly bytes: Uint8Array; readonly checksum: number } {
  const { id, incarnations } = manifest.data
  const salt = env.randomBytes(SALT_BYTES)
  const { firstSeq } = groups[0]!
  const { lastSeq } = groups.at(-1)!
  const header = encodeHotHeader({
    database: id,
    // The same history goes on.
    incarnation: incarnations.at(-1)?.id ?? toHex(env.randomBytes(INCARNATION_BYTES)),
    salt,
    firstSeq,
    predecessor,
  })
  const writer = new ByteWriter()
  writer.raw(header.bytes)
  let previous = header.checksum
  const put = (first: number, count: number, payload: Uint8Array, synced: number): void => {
    const group = encodeGroup({ salt, firstSeq: first, count, payload, previous, synced })
    writer.raw(group.bytes)
    previous = group.checksum
  }
  for (const { group } of groups) put(group.firstSeq, group.records.length, group.payload, firstSeq - 1)
  put(lastSeq + 1, 0, new Uint8Array(0), lastSeq)
  return { bytes: writer.finish(), checksum: previous }
}
