import type { Fields, Value } from '@mynah/core'
import { Random } from './random.js'

const words = ['mynah', 'Größe', '雪', 'naïve', '🐦', 'log', 'a b', '', 'zero', 'Δt'] as const

/** The body of write number `n`, which follows from a seed: small readings, nested states, long texts, bytes. */
export function bodyOf(seed: number, n: number): Fields {
  const random = new Random(seed ^ Math.imul(n, 0x9e3779b1))
  return { n, ...random.pick(shapes)(random) }
}

/** The id of document number `i`. */
export function idOf(i: number): string {
  switch (i % 5) {
    case 0:
      return `reading/${String(i).padStart(8, '0')}`
    case 1:
      return `ö/${i.toString(36)}`
    case 2:
      return `${i}`
    case 3:
      return `雪🐦/${i}/${'x'.repeat(i % 70)}`
    default:
      return `state:${i % 97}:${i}`
  }
}

const shapes: readonly ((random: Random) => { [member: string]: Value })[] = [
  reading,
  reading,
  reading,
  (random) => ({ ...reading(random), note: text(random, 3) }),
  (random) => ({
    player: text(random, 2),
    score: BigInt(random.seed()) ** BigInt(random.between(0, 4)) * (random.chance(0.5) ? 1n : -1n),
    inventory: Array.from({ length: random.below(6) }, () => ({
      slot: random.below(30),
      what: random.pick(words),
    })),
    where: { x: random.next() * 1e6, y: random.next() - 0.5, deep: nest(random, random.below(8)) },
  }),
  (random) => ({ title: text(random, 4), text: text(random, random.between(50, 400)) }),
  (random) => ({ blob: random.bytes(random.below(600)), made: new Date(random.below(2 ** 31) * 1_000) }),
  () => ({}),
  // Now and then one that is larger than a shard.
  (random) => ({
    text: text(random, random.chance(0.05) ? 4_000 : 20),
    flag: random.chance(0.5),
    nothing: null,
  }),
  (random) => ({
    list: Array.from({ length: random.below(40) }, () => nest(random, 1)),
    n2: random.below(3),
  }),
]

function reading(random: Random): { [member: string]: Value } {
  return {
    site: `site-${random.below(7)}`,
    at: new Date(1_700_000_000_000 + random.below(1e9)),
    temperature: Math.round(random.next() * 4_000) / 100,
    count: random.below(100_000),
    ok: random.chance(0.9),
  }
}

function text(random: Random, length: number): string {
  return Array.from({ length }, () => random.pick(words)).join(' ')
}

function nest(random: Random, depth: number): Value {
  if (depth > 0) return random.chance(0.5) ? [nest(random, depth - 1)] : { in: nest(random, depth - 1) }
  return random.pick<Value>([0, 1.5, -7, true, null, 'leaf', 2n ** 70n, 1e300, 5e-324])
}
