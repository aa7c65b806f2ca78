import { ShardCorruptError } from '../errors.js'
import type { Finding } from './finding.js'
import type { HotWriter } from './hot-writer.js'
import type { Manifest } from './manifest.js'
import type { Sealer } from './sealer.js'

export interface MendOptions {
  readonly manifest: Manifest
  readonly hot: HotWriter
  readonly sealer: Sealer
  /** Seals all that is hot. */
  readonly seal: () => Promise<void>
}

/**
 * Writes anew what is whole of the files in which something was found: the manifest and hot files from RAM, segments
 * shard by shard. Gives the names of those that are whole, or gone, by now.
 * @throws StorageError
 */
export async function mendLog(
  options: MendOptions,
  findings: readonly Finding[],
): Promise<readonly string[]> {
  const { manifest, hot, sealer } = options
  // A shard that cannot be read was given up; the rest of its file is as it was.
  const files = new Set(findings.filter(({ firstSeq }) => firstSeq === undefined).map(({ file }) => file))
  const mended: string[] = []
  if (files.has('manifest') || files.has('manifest.copy')) {
    await manifest.update(() => ({}))
    mended.push(...[...files].filter((file) => file.startsWith('manifest')))
  }
  const isHot = (name: string) => hot.files().some((file) => file.name === name)
  const hotFiles = [...new Set(findings.map(({ file }) => file))].filter(isHot)
  if (hotFiles.length > 0) {
    await options.seal()
    mended.push(...hotFiles.filter((name) => !isHot(name)))
  }
  for (const { name } of manifest.data.segments) {
    if (!files.has(name)) continue
    try {
      await sealer.rewrite(name)
      mended.push(name)
    } catch (error) {
      // Damaged further meanwhile: the next reader of that shard gives it up.
      if (!(error instanceof ShardCorruptError)) throw error
    }
  }
  return mended
}
