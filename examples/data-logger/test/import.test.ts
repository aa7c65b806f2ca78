import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Database, open } from '@mynah/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { importFile } from '../src/import.js'

let db: Database
let folder: string

beforeEach(async () => {
  db = await open(':memory:')
  folder = await mkdtemp(path.join(tmpdir(), 'data-logger-'))
})
afterEach(async () => {
  await db.close()
  await rm(folder, { recursive: true })
})

function fixture(name: string): string {
  return path.join(import.meta.dirname, 'fixtures', name)
}

test('rows without an id get one of file name and line', async () => {
  const report = await importFile(db, fixture('faulty.csv'))
  expect(report).toMatchObject({ imported: 5, added: 5, changed: 0, bad: 2 })
  expect(await db.get('faulty/00000004')).toMatchObject({ name: 'nut', part: '1e5' })
  expect(await db.get('faulty/00000008')).toMatchObject({ name: 'nut', part: '1e5' })
})

test('documents that the database refuses are told of by line, and the last of two with one id stands', async () => {
  const bad: number[] = []
  const report = await importFile(db, fixture('faulty.ndjson'), { onBad: (line) => bad.push(line) })
  expect(bad.sort((a, b) => a - b)).toEqual([3, 4, 7, 8, 9, 10])
  expect(report).toMatchObject({ imported: 4, added: 3, changed: 1, bad: 6 })
  expect(await db.get('quake/1')).toMatchObject({ mag: 2.5 })
  expect(await db.get('2')).toMatchObject({ mag: '2' })
  expect(await db.get('faulty/00000006')).toMatchObject({ mag: 1.5 })
})

test('the same file a second time changes nothing', async () => {
  await importFile(db, fixture('faulty.csv'))
  const { seq } = await db.stats()
  const report = await importFile(db, fixture('faulty.csv'))
  expect(report).toMatchObject({ imported: 5, added: 0, changed: 0, bad: 2 })
  expect((await db.stats()).seq).toBe(seq)
})

test('a row that changed replaces what was there', async () => {
  const file = path.join(folder, 'parts.csv')
  await writeFile(file, 'id,price\n007,1\n8,2\n')
  await importFile(db, file)
  await writeFile(file, 'id,price\n007,1\n8,3\n9,4\n')
  expect(await importFile(db, file)).toMatchObject({ imported: 3, added: 1, changed: 1 })
  expect(await db.get('007')).toMatchObject({ price: 1 })
  expect(await db.get('8')).toMatchObject({ price: 3 })
})

test('more rows than a batch, with progress to the end of the file', async () => {
  const file = path.join(folder, 'many.ndjson')
  await writeFile(file, Array.from({ length: 2_500 }, (_, i) => `{"id":"m/${i}","value":${i}}\n`).join(''))
  const rows: number[] = []
  let left = Number.NaN
  const report = await importFile(db, file, {
    onProgress: (progress) => {
      rows.push(progress.rows)
      left = progress.bytesTotal - progress.bytes
    },
  })
  expect(report).toMatchObject({ imported: 2_500, added: 2_500, bad: 0 })
  expect([rows, left]).toEqual([[1_000, 2_000, 2_500], 0])
  expect(await db.count()).toBe(2_500)
})

test.each([
  ['a,b,a\n1,2,3\n', 'two columns are called "a"'],
  ['a,,c\n1,2,3\n', 'column 2 has no name'],
  ['id,rev\n1,2\n', '"rev"'],
])('a header that cannot be trusted is refused as a whole: %j', async (text, message) => {
  const file = path.join(folder, 'header.csv')
  await writeFile(file, text)
  await expect(importFile(db, file)).rejects.toThrow(message)
  expect(await db.count()).toBe(0)
})

test('an import that is stopped can be begun again', async () => {
  const file = path.join(folder, 'many.ndjson')
  await writeFile(file, Array.from({ length: 2_500 }, (_, i) => `{"value":${i}}\n`).join(''))
  const stop = new AbortController()
  await importFile(db, file, { signal: stop.signal, onProgress: () => stop.abort() })
  expect(await db.count()).toBe(1_000)
  expect(await importFile(db, file)).toMatchObject({ imported: 2_500, added: 1_500, changed: 0 })
})
