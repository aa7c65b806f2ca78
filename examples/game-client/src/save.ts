import type { Conflict } from '@mynah/core'

/** What a player has come to: one document, `save/NAME`. */
export type Save = {
  readonly gold: number
  readonly items: readonly string[]
  readonly level: number
}

/**
 * Merges saves that were made without knowing of each other: nothing that was found is lost, what was spent on either
 * device is spent, the highest level counts. It uses nothing but the conflict, neither a clock nor a device's name, so
 * that all devices come to the same.
 */
export function mergeSaves({ leaves, base }: Conflict<Save>): Save {
  const before = base?.gold ?? 0
  return {
    gold: leaves.reduce((gold, save) => gold + save.gold - before, before),
    items: [...new Set(leaves.flatMap((save) => save.items))].sort(),
    level: Math.max(...leaves.map((save) => save.level)),
  }
}
