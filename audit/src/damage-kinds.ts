import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Random } from './random.js'

/** What can happen to a file. */
export const damageKinds = [
  'flip a bit',
  'flip a run',
  'cut',
  'zero a page',
  'remove',
  'swap',
  'older copy',
  'empty',
  'append',
] as const
export type DamageKind = (typeof damageKinds)[number]

/** The sorts of files in a database's folder. */
export const fileSorts = ['manifest', 'hot', 'segment', 'index', 'lock'] as const
export type FileSort = (typeof fileSorts)[number]

/** One damage: to be done to a folder, told in a report. */
export interface Damage {
  readonly kind: DamageKind
  readonly sort: FileSort
  /** Relative to the folder. */
  readonly file: string
}

const PAGE = 4_096

/** The files of a sort, relative to the folder, in order. */
export function filesOf(folder: string, sort: FileSort): readonly string[] {
  const names = readdirSync(folder).sort()
  if (sort === 'manifest' || sort === 'hot' || sort === 'segment')
    return names.filter((name) => name.startsWith(sort))
  const within = names.filter((name) => name === 'lock' || name.startsWith('index-'))
  return within
    .filter((name) => name.startsWith(sort))
    .flatMap((name) => readdirSync(join(folder, name)).map((file) => join(name, file)))
}

/**
 * Chooses a damage and does it. `undefined` where the choice makes no sense there.
 * @param older an older state of the same folder
 */
export async function damage(
  folder: string,
  older: string,
  kind: DamageKind,
  sort: FileSort,
  random: Random,
): Promise<Damage | undefined> {
  const files = filesOf(folder, sort)
  if (files.length === 0) return undefined
  const file = random.pick(files)
  const path = join(folder, file)
  const { size } = statSync(path)
  const done = { kind, sort, file }
  const at = random.below(Math.max(1, size))
  if (kind === 'remove') rmSync(path)
  else if (kind === 'empty') truncateSync(path, 0)
  else if (kind === 'older copy') return (await putOlder(folder, older, file)) ? done : undefined
  else if (kind === 'swap') {
    const other = random.pick(files)
    if (other === file) return undefined
    const [one, two] = [readFileSync(path), readFileSync(join(folder, other))]
    await overwrite(path, two)
    await overwrite(join(folder, other), one)
    return { ...done, file: `${file} and ${other}` }
  } else if (kind === 'append') await write(path, random.bytes(random.between(1, 3_000)), size)
  else if (size === 0) return undefined
  else if (kind === 'cut') truncateSync(path, at)
  else if (kind === 'zero a page') {
    const start = at - (at % PAGE)
    await write(path, new Uint8Array(Math.min(PAGE, size - start)), start)
  } else {
    const length = kind === 'flip a bit' ? 1 : Math.min(size - at, random.between(2, 200))
    const bytes = readFileSync(path).subarray(at, at + length)
    const mask = () => (kind === 'flip a bit' ? 1 << random.below(8) : random.between(1, 255))
    await write(
      path,
      bytes.map((byte) => byte ^ mask()),
      at,
    )
  }
  return done
}

async function putOlder(folder: string, older: string, file: string): Promise<boolean> {
  const before = join(older, file)
  if (!existsSync(before)) return false
  const bytes = readFileSync(before)
  if (bytes.equals(readFileSync(join(folder, file)))) return false
  await overwrite(join(folder, file), bytes)
  return true
}

/** In place: who has the file open sees it. */
async function overwrite(path: string, bytes: Uint8Array): Promise<void> {
  truncateSync(path, 0)
  await write(path, bytes, 0)
}

async function write(path: string, bytes: Uint8Array, at: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.write(bytes, 0, bytes.length, at)
  } finally {
    await file.close()
  }
}

/** Copies a database's folder. */
export function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => basename(path) !== 'LOCK' })
}
