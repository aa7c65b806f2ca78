import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type DurableNews, nameOfKept } from './power-cut-storage.js'
import type { Random } from './random.js'
import { type IndexNews, newestLog } from './watched-level.js'

const SECTOR = 512

/** The folder of one database, what of it is durable, and the way to make it what a power cut would leave. */
export class Disk {
  readonly folder: string
  /** Links of files that were replaced or removed, while that is not durable. */
  readonly kept: string
  readonly #copy: string
  /** Durable lengths of files whose names are durable. A file of an earlier process keeps its own. */
  readonly #durable = new Map<string, number>()
  /** Files that are only ever replaced, and so are whole where they are. */
  readonly #replaced = new Set<string>()
  #index: IndexNews | undefined
  #copied: string | undefined

  /** @param place an empty folder, where the database gets a folder of its own */
  constructor(place: string) {
    this.folder = join(place, 'db')
    this.kept = join(place, 'kept')
    this.#copy = join(place, 'older-index')
  }

  learn(news: DurableNews | IndexNews): void {
    if (news.kind === 'index') this.#index = news
    else if (news.kind === 'replacing') this.#replaced.add(news.name)
    else if (news.kind === 'durable') this.#durable.set(news.name, news.length)
    else for (const name of news.names) if (!this.#durable.has(name)) this.#durable.set(name, 0)
  }

  /** Keeps a copy of the index as it is; the database must be closed. */
  copyIndex(): void {
    const folder = this.#indexFolder()
    if (folder === undefined) return
    rmSync(this.#copy, { recursive: true, force: true })
    cpSync(folder, this.#copy, { recursive: true })
    this.#copied = basename(folder)
  }

  /** Makes the folder what the disk holds after the power went; tells what it did, for people. */
  cut(random: Random): string[] {
    if (!existsSync(this.folder)) return []
    const told = [...this.#cutNames(random), ...this.#cutTails(random), ...this.#cutIndex(random)]
    this.#durable.clear()
    for (const name of this.#files()) this.#durable.set(name, statSync(join(this.folder, name)).size)
    rmSync(this.kept, { recursive: true, force: true })
    this.#index = undefined
    return told
  }

  #files(): string[] {
    return readdirSync(this.folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [entry.name] : [],
    )
  }

  /** Undoes what was done to names and is not durable, or not. */
  #cutNames(random: Random): string[] {
    const told: string[] = []
    for (const name of this.#files()) {
      if (this.#durable.has(name) || random.chance(0.5)) continue
      rmSync(join(this.folder, name))
      told.push(`${name} gone`)
    }
    for (const link of existsSync(this.kept) ? readdirSync(this.kept) : []) {
      if (random.chance(0.4)) continue
      renameSync(join(this.kept, link), join(this.folder, nameOfKept(link)))
      told.push(`${nameOfKept(link)} back`)
    }
    return told
  }

  /** Takes from each file what was never synced: all of it, its end, or sectors of it. */
  #cutTails(random: Random): string[] {
    const told: string[] = []
    for (const name of this.#files()) {
      if (this.#replaced.has(name)) continue
      const path = join(this.folder, name)
      const { size } = statSync(path)
      const durable = this.#durable.get(name) ?? 0
      if (size <= durable) continue
      const fate = random.pick(['whole', 'gone', 'part', 'sectors', 'sectors'])
      if (fate === 'gone') truncateSync(path, durable)
      else if (fate === 'part') truncateSync(path, random.between(durable, size))
      else if (fate === 'sectors') this.#loseSectors(path, durable, random)
      told.push(`${name} ${fate} from ${durable} of ${size}`)
    }
    return told
  }

  #loseSectors(path: string, durable: number, random: Random): void {
    const bytes = readFileSync(path)
    const old = this.#oldBytes(random)
    for (let sector = Math.floor(durable / SECTOR); sector * SECTOR < bytes.length; sector++) {
      const from = Math.max(durable, sector * SECTOR)
      const to = Math.min(bytes.length, (sector + 1) * SECTOR)
      const fate = random.pick(['there', 'zeros', 'noise', 'old'])
      if (fate === 'zeros') bytes.fill(0, from, to)
      else if (fate === 'noise') bytes.set(random.bytes(to - from), from)
      else if (fate === 'old') bytes.set(old.subarray(from % SECTOR, (from % SECTOR) + to - from), from)
    }
    writeFileSync(
      path,
      bytes.subarray(0, random.chance(0.5) ? bytes.length : random.between(durable, bytes.length)),
    )
  }

  /** A sector of some file of the database, or of one that it removed. */
  #oldBytes(random: Random): Uint8Array {
    const bytes = new Uint8Array(SECTOR)
    const files = this.#files()
    if (files.length === 0) return bytes
    const source = readFileSync(join(this.folder, random.pick(files)))
    const sector = random.below(Math.ceil(source.length / SECTOR) || 1)
    bytes.set(source.subarray(sector * SECTOR, (sector + 1) * SECTOR))
    return bytes
  }

  /** Cuts LevelDB's newest log behind what was acknowledged; sometimes takes the whole index, or brings an old one. */
  #cutIndex(random: Random): string[] {
    const folder = this.#indexFolder()
    if (folder === undefined) return []
    const fate = random.next()
    if (fate < 0.1) {
      rmSync(folder, { recursive: true })
      return ['index gone']
    }
    if (fate < 0.25 && this.#copied === basename(folder)) {
      rmSync(folder, { recursive: true })
      cpSync(this.#copy, folder, { recursive: true })
      return ['index older']
    }
    const newest = newestLog(folder)
    if (newest === undefined) return []
    const noted = this.#index?.folder === folder && this.#index.log === newest.log ? this.#index.length : 0
    const length = random.between(noted, newest.length)
    truncateSync(join(folder, newest.log), length)
    return length < newest.length ? [`index log ${newest.length} cut to ${length}`] : []
  }

  #indexFolder(): string | undefined {
    if (!existsSync(this.folder)) return undefined
    const folders = readdirSync(this.folder).flatMap((name) => {
      const match = /^index-(\d+)$/.exec(name)
      return match ? [Number(match[1])] : []
    })
    return folders.length === 0 ? undefined : join(this.folder, `index-${Math.max(...folders)}`)
  }
}
