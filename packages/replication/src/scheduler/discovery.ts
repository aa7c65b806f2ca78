import type { Env } from '@mynah/core'
import type { ReplicationSettings } from '@mynah/core/replica'
import type { Mirror } from '../mirror/mirror.js'
import { hostClass, namedWithin } from '../transport/address-class.js'
import { databaseOf, mirrorAddress } from '../transport/mirror-address.js'

/** Mirrors that are learnt from one. */
const NAMED_MAX = 8
/** A mirror that names others again and again is not listened to more often. */
const CHANGE_MS = 60_000
const REMOVED_MAX = 1_000

/** What one mirror named. */
interface Named {
  readonly addresses: readonly string[]
  /** When that was another last, on the monotonic clock; undefined for what is remembered. */
  readonly changedAtMs: number | undefined
}

/**
 * Which mirrors may be used that mirrors name. Only a mirror that the application gave may name others, of the same
 * database's name, and what it says now counts. One that it names
 *
 * - is sent what the application gave for its origin, and nothing else: the token of the mirror that names it, where that
 *   is of the same origin, or the same token was given for a mirror of its origin. Where it has none, none. Else it is not
 *   used at all, as an open stranger is none to send documents to;
 * - is reached by https: where the one that names it is;
 * - has an address that everybody has, or one of the same kind as the one that names it, where that was given as an
 *   address of IP (or localhost): see `namedWithin`. By a name or http:, none but the same kind.
 */
export class Discovery {
  readonly #env: Env
  readonly #on: boolean
  readonly #named = new Map<string, Named>()
  readonly #removed: Set<string>

  constructor(env: Env, on: boolean, { learnt = [], removed = [] }: ReplicationSettings) {
    this.#env = env
    this.#on = on
    this.#removed = new Set(removed)
    for (const by of new Set(learnt.flatMap((one) => one.by))) {
      const addresses = learnt.filter((one) => one.by.includes(by)).map(({ url }) => url)
      this.#named.set(by, { addresses: this.#acceptable(by, addresses), changedAtMs: undefined })
    }
  }

  /** Addresses that are not to be learnt. */
  get removed(): readonly string[] {
    return [...this.#removed]
  }

  /** A mirror that was given named these; whether that is news. */
  heard(by: string, named: readonly string[]): boolean {
    if (!this.#on) return false
    const known = this.#named.get(by)
    const addresses = this.#acceptable(by, named)
    if (addresses.join('\n') === (known?.addresses ?? []).join('\n')) return false
    const now = this.#env.monotonicMs()
    if (known?.changedAtMs !== undefined && now - known.changedAtMs < CHANGE_MS) return false
    this.#named.set(by, { addresses, changedAtMs: now })
    return true
  }

  /** The application took it out. */
  remove(address: string): void {
    this.#named.delete(address)
    if (!this.#on) return
    this.#removed.add(address)
    for (const oldest of [...this.#removed].slice(0, -REMOVED_MAX)) this.#removed.delete(oldest)
  }

  /** The application gave it. */
  give(address: string): void {
    this.#removed.delete(address)
  }

  /** Those to be used besides the given ones, and for each who named it, of those who may. */
  wanted(given: readonly Mirror[]): ReadonlyMap<string, readonly Mirror[]> {
    const wanted = new Map<string, Mirror[]>()
    if (!this.#on) return wanted
    for (const by of given) {
      for (const address of this.#named.get(by.address)?.addresses ?? []) {
        const isKnown = this.#removed.has(address) || given.some((one) => one.address === address)
        if (isKnown || !hasToken(by, address, given)) continue
        wanted.set(address, [...(wanted.get(address) ?? []), by])
      }
    }
    return wanted
  }

  #acceptable(by: string, named: readonly string[]): readonly string[] {
    const addresses = named.flatMap((text) => acceptable(by, text) ?? [])
    return [...new Set(addresses)].filter((address) => address !== by).slice(0, NAMED_MAX)
  }
}

/** The address in its one spelling, if such a mirror may name it. */
function acceptable(by: string, text: string): string | undefined {
  let address: string
  try {
    address = mirrorAddress(text)
  } catch {
    return undefined
  }
  const within = namedWithin(by, address)
  const of = hostClass(address)
  const isWithin = within.length > 0 && (of === undefined || within.includes(of))
  return isWithin && databaseOf(address) === databaseOf(by) ? address : undefined
}

/** Whether what is sent to the one that names goes to the named one too: no token, or one given for its origin. */
function hasToken(by: Mirror, address: string, given: readonly Mirror[]): boolean {
  const { origin } = new URL(address)
  return (
    by.token === undefined ||
    given.some((one) => one.token === by.token && new URL(one.address).origin === origin)
  )
}
