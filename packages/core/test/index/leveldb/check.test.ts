import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { nodeLevelFiles } from '../../../src/index/level-files.js'
import { levelFault } from '../../../src/index/leveldb/check.js'

const place = mkdtempSync(join(tmpdir(), 'mynah-level-'))
afterAll(() => rmSync(place, { recursive: true }))

/** Other choices in each run; a failure tells them. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const rounds = Number(process.env.ROUNDS ?? 1)
let state = seed
function below(bound: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  return Math.floor(((state >>> 4) / 2 ** 28) * bound)
}
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const check = (folder: string) => levelFault(nodeLevelFiles(folder))

/** Has a child write batches; gives the number of the last that was told of. */
async function write(
  folder: string,
  options: { first: number; count: number; buffer: number; killAfter?: number },
): Promise<number> {
  const { first, count, buffer, killAfter } = options
  const args = [script('writer.mjs'), folder, String(first), String(count), String(buffer)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = first - 1
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => {
    last = Number(line)
    if (killAfter !== undefined && last - first >= killAfter) child.kill('SIGKILL')
  })
  await Promise.all([once(child, 'close'), once(lines, 'close')])
  return last
}

interface Answer {
  readonly root?: number
  readonly wrong?: readonly string[]
  readonly error?: string
}

/** Opens and reads folders in a child, that must not die of it. */
async function readAll(folders: readonly string[]): Promise<Answer[]> {
  const child = spawn(process.execPath, [script('reader.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers: Answer[] = []
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => answers.push(JSON.parse(line) as Answer))
  child.stdin!.end(folders.map((folder) => `${folder}\n`).join(''))
  const [[code]] = await Promise.all([once(child, 'close'), once(lines, 'close')])
  expect(code, `seed ${seed}: it died of ${folders[answers.length]}`).toBe(0)
  return answers
}

/** Folders in many states, with the last batch that is known to be durable in each: none of them is damaged. */
async function lives(count: number): Promise<{ folder: string; last: number; kills: number }[]> {
  const made: { folder: string; last: number; kills: number }[] = []
  const life = async (i: number) => {
    const folder = join(place, `life-${seed}-${i}`)
    const buffer = pick([65_536, 65_536, 200_000, 1_048_576])
    let last = -1
    let kills = 0
    for (let round = 0; round <= 3; round++) {
      const clean = below(4) === 0
      const killAfter = pick([0, 1, 5, 30, 60, 90])
      const told = await write(folder, {
        first: last + 1,
        count: clean ? pick([1, 40, 100]) : 1_000,
        buffer,
        ...(clean ? {} : { killAfter }),
      })
      kills += clean ? 0 : 1
      expect(await check(folder), `seed ${seed}, ${folder} after batch ${told}`).toBeUndefined()
      // A batch may be durable and not told of: the next child writes it again, as it was.
      last = told
      const copy = `${folder}-${round}`
      cpSync(folder, copy, { recursive: true })
      made.push({ folder: copy, last, kills })
    }
  }
  for (let i = 0; i < count; i += 2) await Promise.all([life(i), life(i + 1)])
  return made
}

const kinds = ['flip', 'cut', 'zero', 'remove', 'swap', 'noise'] as const

/** Damages one file of a folder; tells what it did. */
function damage(folder: string, others: readonly string[]): string {
  const names = readdirSync(folder).filter((name) => /^\d+\.(ldb|log)$|^MANIFEST|^CURRENT$/.test(name))
  const name = pick(names)
  const kind = pick(kinds)
  const path = join(folder, name)
  const bytes = readFileSync(path)
  if (kind === 'remove') {
    rmSync(path)
    return `remove ${name}`
  }
  const at = below(bytes.length)
  switch (kind) {
    case 'flip':
      if (bytes.length > 0) bytes[at]! ^= 1 << below(8)
      writeFileSync(path, bytes)
      break
    case 'cut':
      writeFileSync(path, bytes.subarray(0, at))
      break
    case 'zero':
      writeFileSync(path, bytes.fill(0, at, Math.min(bytes.length, at + 4_096)))
      break
    case 'noise':
      for (let i = at; i < Math.min(bytes.length, at + 512); i++) bytes[i] = below(256)
      writeFileSync(path, bytes)
      break
    default: {
      // A log of another database whose sequence numbers happen to go on here is a log like any other: that it is not of
      // this database is told by what the index keeps in it, its stamp and its sums.
      const from = name.endsWith('.log') ? folder : pick([folder, ...others])
      const suffix = name.replace(/^\d+|^MANIFEST-\d+/, '')
      const same = readdirSync(from).filter((one) => one.replace(/^\d+|^MANIFEST-\d+/, '') === suffix)
      const source = join(from, pick(same.length > 0 ? same : readdirSync(from)))
      if (statSync(source).isFile()) writeFileSync(path, readFileSync(source))
      return `swap ${name} for ${source}`
    }
  }
  return `${kind} ${name} at ${at} of ${bytes.length}`
}

test('no folder is called damaged that a killed or an ended process left, and every damage is found, or harmless', {
  timeout: 60_000 * rounds,
}, async () => {
  const sound = await lives(4 * rounds)
  expect(sound.filter(({ kills }) => kills > 0).length).toBeGreaterThan(6)
  const answers = await readAll(sound.map(({ folder }) => copyOf(folder, 'read')))
  for (const [i, answer] of answers.entries()) {
    expect(answer.wrong, `seed ${seed}, ${sound[i]!.folder}: ${answer.error}`).toEqual([])
    expect(answer.root).toBeGreaterThanOrEqual(sound[i]!.last)
  }
  let found = 0
  const unnoticed: { folder: string; what: string }[] = []
  for (let i = 0; i < 300 * rounds; i++) {
    const { folder } = pick(sound)
    const damaged = copyOf(folder, `damaged-${i}`)
    const what = damage(
      damaged,
      sound.map((one) => one.folder),
    )
    if ((await check(damaged)) === undefined) unnoticed.push({ folder: damaged, what })
    else {
      found += 1
      rmSync(damaged, { recursive: true })
    }
  }
  expect(found).toBeGreaterThan(100 * rounds)
  // LevelDB gives what was written up to some batch, or says that it cannot.
  const read = await readAll(unnoticed.map(({ folder }) => folder))
  if (process.env.SHOW)
    console.log(
      found,
      unnoticed.map(({ what }, i) => `${what}: ${JSON.stringify(read[i])}`),
    )
  for (const [i, { wrong = [] }] of read.entries())
    expect(wrong, `seed ${seed}: ${unnoticed[i]!.what}, in ${unnoticed[i]!.folder}`).toEqual([])
})

function copyOf(folder: string, name: string): string {
  const copy = `${folder}-${name}`
  cpSync(folder, copy, { recursive: true })
  return copy
}
