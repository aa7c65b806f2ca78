import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open, UnreachableError } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

/** Written once by scripts/make-fixture-database.mjs, and never again: every later version has to open it. */
const fixture = join(import.meta.dirname, '../fixtures/database-1')
const root = { count: 70, sum: '8228892d26add2f906faa040603c427f3ec70f5d1a8ba636b81fee986f8f6d89' }

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'mynah-fixture-')), 'db')
  await cp(fixture, folder, { recursive: true })
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

for (const index of ['with its index', 'with an index derived anew']) {
  test(`a database of format 1 opens, ${index}`, async () => {
    if (index !== 'with its index') await rm(join(folder, 'index-1'), { recursive: true })
    const db = await open(folder)
    expect(db).toMatchObject({ id: '3e93412159ed33f10561e8e537280402', mode: 'mirror' })
    expect((await db.stats()).root).toEqual(root)
    expect(await db.get('values')).toEqual({
      id: 'values',
      rev: expect.stringMatching(/^1-/),
      nothing: null,
      yes: true,
      text: 'ä😀',
      big: 2n ** 70n,
      at: new Date(1_763_683_200_000),
      bytes: Uint8Array.of(0, 255),
      list: [1, 2.5, [{ deep: -1e300 }]],
      empty: {},
    })
    expect(Object.entries((await db.get('names'))!)).toContainEqual(['__proto__', { a: 1 }])
    expect(await db.get('reading/3')).toMatchObject({ rev: expect.stringMatching(/^2-/), t: 20.3, n: 103 })
    expect(await db.get('reading/58')).toMatchObject({ t: 25.8, n: 58 })
    expect(await db.read('reading/59')).toMatchObject({ deleted: true })
    expect((await db.read('conflict')).conflicts.length).toBe(1)
    expect(await db.get('foreign')).toEqual({ id: 'foreign', rev: '3-abcXYZ', from: 'elsewhere' })
    expect(await replicaOf(db).leaves('foreign')).toMatchObject([{ path: ['2-def', '1-ghi'] }])
    await expect(db.get('known')).rejects.toThrow(UnreachableError)
    expect(await db.get('hot/4')).toMatchObject({ i: 4 })
    expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
    await db.put({ id: 'new' })
    await db.close()
  })
}
