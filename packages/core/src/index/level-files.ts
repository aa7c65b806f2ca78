import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LevelFile, LevelFiles } from './leveldb/files.js'

/** The files of a LevelDB in a folder of the disk. */
export function nodeLevelFiles(folder: string): LevelFiles {
  return {
    async list() {
      const entries = await readdir(folder, { withFileTypes: true }).catch(noneIfMissing)
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
      return Promise.all(names.map(async (name) => ({ name, length: (await stat(join(folder, name))).size })))
    },
    async open(name) {
      const handle = await open(join(folder, name), 'r')
      return new NodeLevelFile(handle, (await handle.stat()).size)
    },
  }
}

function noneIfMissing(error: unknown): never[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}

class NodeLevelFile implements LevelFile {
  readonly length: number
  readonly #handle: FileHandle
  #buffer = new Uint8Array(0)

  constructor(handle: FileHandle, length: number) {
    this.#handle = handle
    this.length = length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(Math.max(length, 2 * this.#buffer.length))
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(this.#buffer, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return this.#buffer.subarray(0, filled)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
