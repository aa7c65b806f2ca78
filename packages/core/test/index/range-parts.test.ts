import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareUtf8 } from '../../src/bytes/compare.js'
import { open } from '../../src/database/open.js'
import { addFingerprint } from '../../src/index/fingerprint.js'
import { separatorOf } from '../../src/index/range-parts.js'
import { type IdRange, type Replica, replicaOf } from '../../src/replica.js'

async function filled(ids: readonly string[]): Promise<Replica> {
  const db = await open(':memory:')
  await db.putMany(ids.map((id) => ({ id })))
  return replicaOf(db)
}

async function checkParts(replica: Replica, range: IdRange, most: number): Promise<readonly number[]> {
  const parts = await replica.parts(range, () => most)
  for (const [i, { from, count, sum }] of parts.entries()) {
    const next = parts[i + 1]?.from
    if (next !== undefined) expect(compareUtf8(from, next)).toBeLessThan(0)
    const bounds = { ...range, gte: from, ...(next !== undefined && { lt: next }) }
    expect(await replica.sum(bounds)).toEqual({ count, sum })
  }
  const whole = await replica.sum(range)
  expect(parts.reduce((count, part) => count + part.count, 0)).toBe(whole.count)
  return parts.map(({ count }) => count)
}

describe('parts of a range', () => {
  test('a few hundred ids are cut evenly, by a scan', async () => {
    const replica = await filled(Array.from({ length: 500 }, (_, i) => `s/${i}`))
    expect(await checkParts(replica, {}, 16)).toEqual([...Array(15).fill(32), 20])
    expect(await checkParts(replica, { prefix: 's/1' }, 4)).toEqual([28, 28, 28, 27])
    expect(await checkParts(replica, { prefix: 'none' }, 4)).toEqual([0])
    expect(await checkParts(replica, {}, 1)).toEqual([500])
  })

  test('many thousands are cut where pages begin, whether they came in order or not', async () => {
    const inOrder = Array.from(
      { length: 20_000 },
      (_, i) => `${String(i).padStart(6, '0')}-ü😀-${'x'.repeat(40)}`,
    )
    const shuffled = inOrder.toSorted((a, b) => (a.slice(3, 6) < b.slice(3, 6) ? -1 : 1))
    for (const ids of [inOrder, shuffled]) {
      const replica = await filled(ids)
      const counts = await checkParts(replica, {}, 32)
      expect(counts.length).toBeGreaterThan(16)
      expect(counts.length).toBeLessThanOrEqual(32)
      expect(Math.max(...counts)).toBeLessThan(3_000)
      await checkParts(replica, { gte: '001500', lt: '004000' }, 16)
      // Borders are as short as they can be.
      for (const { from } of await replica.parts({}, () => 32)) expect(from.length).toBeLessThanOrEqual(6)
    }
  })

  test('prints come in order, and add up to the sum', async () => {
    const ids = ['a', 'ÿ', '\uffee', '😀', 'b'.repeat(1_024)]
    const replica = await filled(ids)
    const prints = await replica.prints({}, 100)
    expect(prints.map(({ id }) => id)).toEqual(ids.toSorted(compareUtf8))
    const sum = new Uint8Array(32)
    for (const { print } of prints) addFingerprint(sum, print)
    expect((await replica.sum({})).sum).toEqual(sum)
    expect(await replica.prints({ gt: 'a' }, 2)).toEqual(prints.slice(1, 3))
    expect(await replica.prints({}, 0)).toEqual([])
  })

  test('a separator is the shortest beginning of the later text that comes after the earlier', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'ÿ', '\uffee', '😀', '😁'), maxLength: 6 })
    fc.assert(
      fc.property(text, text, (a, b) => {
        fc.pre(compareUtf8(a, b) < 0)
        const separator = separatorOf(a, b)
        expect(b.startsWith(separator)).toBe(true)
        expect(compareUtf8(a, separator)).toBeLessThan(0)
        expect(separator.isWellFormed()).toBe(true)
        const shorter = [...separator].slice(0, -1).join('')
        expect(compareUtf8(shorter, a)).toBeLessThanOrEqual(0)
      }),
    )
  })
})
