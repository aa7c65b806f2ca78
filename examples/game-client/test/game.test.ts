import { expect, test } from 'vitest'
import { playGame } from '../src/game.js'
import { mergeSaves } from '../src/save.js'

test('levels are there offline, and saves of two devices are merged', { timeout: 120_000 }, async () => {
  const said: string[] = []
  const { offline, saves } = await playGame((line) => said.push(line))
  expect(offline).toEqual([1, 2, 3])
  for (const save of saves)
    expect(save, said.join('\n')).toMatchObject({ gold: 120, items: ['lamp', 'map', 'rope'], level: 3 })
})

test('a merge does not depend on the order of what it merges', () => {
  const stored = { id: 'save/x', rev: '1-0' }
  const leaves = [
    { ...stored, gold: 10, items: ['b', 'a'], level: 1 },
    { ...stored, gold: 70, items: ['c'], level: 4 },
    { ...stored, gold: 40, items: [], level: 2 },
  ]
  const base = { ...stored, gold: 50, items: [], level: 1 }
  const one = mergeSaves({ id: 'save/x', leaves, missing: [], base })
  expect(one).toEqual({ gold: 20, items: ['a', 'b', 'c'], level: 4 })
  expect(mergeSaves({ id: 'save/x', leaves: leaves.toReversed(), missing: [], base })).toEqual(one)
})
