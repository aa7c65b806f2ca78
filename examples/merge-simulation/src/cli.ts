import { simulate } from '@mynah/simulation'
import { addItem, keepAll, keepWinner, nothingIsMissing, type ShoppingList } from './shopping-list.js'

for (const [name, merge] of Object.entries({ keepAll, keepWinner })) {
  const { seeds, merges, failures } = await simulate<ShoppingList>({
    seeds: 20,
    edit: addItem,
    merge,
    check: nothingIsMissing,
  })
  console.log(`${name}: ${seeds} histories, ${merges} merges, ${failures.length} failed`)
  for (const { seed, violation } of failures) console.log(`  seed ${seed}: ${violation?.message}`)
}
