import type { SimulateOptions } from '@mynah/simulation'

/** A list that a family shares: what to buy, and how much of it. */
export interface ShoppingList {
  readonly items: { readonly [name: string]: number }
}

type Merge = SimulateOptions<ShoppingList>['merge']

/** Keeps every item of every leaf, with the largest amount. */
export const keepAll: Merge = ({ leaves }) => {
  const items: { [name: string]: number } = {}
  for (const leaf of leaves)
    for (const [name, amount] of Object.entries(leaf.items)) items[name] = Math.max(items[name] ?? 0, amount)
  return { items }
}

/** Keeps the winner: what others added meanwhile is gone. */
export const keepWinner: Merge = ({ leaves }) => ({ items: leaves[0]!.items })

/** Somebody thinks of one more thing to buy. */
export const addItem: SimulateOptions<ShoppingList>['edit'] = (list, random) => ({
  items: { ...list?.items, [`item ${random.integer()}`]: random.between(1, 5) },
})

/** Nothing that somebody put on the list may be missing from it. */
export const nothingIsMissing: NonNullable<SimulateOptions<ShoppingList>['check']> = (documents, edits) => {
  const wanted = new Set(edits.flatMap(({ items }) => Object.keys(items)))
  const found = new Set([...documents.values()].flatMap(({ items }) => Object.keys(items)))
  const missing = [...wanted].filter((name) => !found.has(name))
  return missing.length === 0 ? undefined : `${missing.length} of ${wanted.size} items are missing`
}
