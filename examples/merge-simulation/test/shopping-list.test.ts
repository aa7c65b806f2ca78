import { simulate } from '@mynah/simulation'
import { expect, test } from 'vitest'
import { addItem, keepAll, keepWinner, nothingIsMissing, type ShoppingList } from '../src/shopping-list.js'

const timeout = 60_000
const options = { edit: addItem, check: nothingIsMissing }

test('a merge that keeps all items loses none', { timeout }, async () => {
  const { failures, merges } = await simulate<ShoppingList>({ seeds: 12, merge: keepAll, ...options })
  expect(failures.map(({ seed, violation }) => [seed, violation?.message])).toEqual([])
  expect(merges).toBeGreaterThan(10)
})

test('a merge that keeps the winner is found out', { timeout }, async () => {
  const { failures } = await simulate<ShoppingList>({ seeds: 6, merge: keepWinner, ...options })
  expect(failures.map(({ violation }) => violation?.message).join()).toContain('items are missing')
})
