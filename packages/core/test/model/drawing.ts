import type { Fields, Value } from '../../src/codec/value.js'
import type { Chance } from './chance.js'
import type { History } from './history.js'
import type { Draft } from './model.js'

/** Their order as UTF-8 is another than as UTF-16. */
export const ids = ['a', 'b', 'c/1', 'c/2', 'ä', '\uff5e', '😀'] as const

export function anId(chance: Chance): string {
  return chance.is(0.5) ? chance.pick(ids.slice(0, 3)) : chance.pick(ids)
}

/** Few different ones, so that the same is often written again; some are large. */
export function aBody(chance: Chance): Fields {
  const body: { [name: string]: Value } = { n: chance.below(3) }
  if (chance.is(0.1)) body.t = `${chance.below(1e9)} `.repeat(chance.between(1, 40))
  if (chance.is(0.1)) {
    body.at = new Date(chance.below(3))
    body.big = BigInt(chance.below(3)) * 2n ** 70n
    body.bytes = Uint8Array.from({ length: chance.below(20) }, () => chance.below(256))
    body.list = [1, 'two', { three: null }, chance.is(0.5), []]
  }
  return body
}

/** A put as applications make them: on what is current, on what was, on nothing. */
export function aDraft({ chance, model }: History, id = anId(chance)): Draft {
  const body = aBody(chance)
  if (chance.is(0.15)) return { id, body, overwrite: true }
  const rev = aRev(chance, model.leaves(id), model.recorded(id))
  return rev === undefined ? { id, body } : { id, body, rev }
}

type Named = readonly { readonly rev: string; readonly deleted: boolean }[]

/** Mostly the winner's rev; else another leaf's, one of the past, or one that never was. */
export function aRev(chance: Chance, leaves: Named, recorded: Named): string | undefined {
  if (chance.is(0.02)) return `3-${'0'.repeat(32)}`
  if (recorded.length === 0 || chance.is(leaves[0]?.deleted ? 0.7 : 0.1)) return undefined
  if (chance.is(0.2)) return chance.pick(recorded).rev
  return chance.is(0.7) ? leaves[0]?.rev : chance.pick(leaves).rev
}
