import type { Env } from '@mynah/core'
import type { Replica, ReplicationSettings } from '@mynah/core/replica'
import { Mirror } from '../mirror/mirror.js'
import type { Scope } from '../scope/scope.js'
import { bearerToken, mirrorAddress } from '../transport/mirror-address.js'
import type { Discovery } from './discovery.js'
import type { Scheduler } from './scheduler.js'

/** Where mirrors go that are known. */
export interface KnownMirrorsOptions {
  readonly replica: Replica
  readonly env: Env
  readonly scheduler: Scheduler
  readonly discovery: Discovery
  readonly scope: () => Scope
}

/** The mirrors of one replication: those that the application gave, and those that these named. */
export class KnownMirrors {
  readonly #options: KnownMirrorsOptions

  constructor(options: KnownMirrorsOptions) {
    this.#options = options
  }

  /** As remembered, with what is stored of them. */
  async begin({ mirrors, learnt = [] }: ReplicationSettings): Promise<void> {
    const { replica, env, scheduler, discovery, scope } = this.#options
    const given = mirrors.map(
      ({ url, token, id }) => new Mirror(env, { address: url, token, databaseId: id }),
    )
    for (const { address } of given) discovery.give(address)
    const ids = new Map(learnt.map(({ url, id }) => [url, id]))
    const named = [...discovery.wanted(given)].map(
      ([address, namers]) => new Mirror(env, { address, databaseId: ids.get(address), namers }),
    )
    for (const mirror of [...given, ...named]) {
      const { databaseId } = mirror
      if (databaseId !== undefined) await (await mirror.load(replica, databaseId, scope())).skipStubs()
      scheduler.add(mirror)
    }
  }

  /** A session that went with another token begins anew: what it covers may be another. @throws TypeError when it is no mirror's address, or no token */
  give(url: string, given: string | undefined): void {
    const { env, scheduler, discovery } = this.#options
    const address = mirrorAddress(url)
    const token = given === undefined ? undefined : bearerToken(given)
    const known = this.#find(address)
    const before = scheduler.mirrors.map((mirror) => ({ mirror, token: mirror.tokenSent }))
    discovery.give(address)
    if (known === undefined) scheduler.add(new Mirror(env, { address, token }))
    else {
      known.namers = undefined
      known.token = token ?? known.token
    }
    this.#review()
    for (const { mirror, token } of before) if (mirror.tokenSent !== token) scheduler.renewWith(mirror)
  }

  /** @throws TypeError when it is no mirror's address */
  remove(url: string): void {
    const { scheduler, discovery } = this.#options
    const address = mirrorAddress(url)
    const mirror = this.#find(address)
    discovery.remove(address)
    if (mirror !== undefined) scheduler.remove(mirror)
    this.#review()
  }

  /** The mirror named these; whether there are others now. */
  heard(by: Mirror, named: readonly string[]): boolean {
    if (this.#find(by.address) !== by || by.namers !== undefined) return false
    const isNews = this.#options.discovery.heard(by.address, named)
    if (isNews) this.#review()
    return isNews
  }

  /** What is to be remembered of them. */
  settings(): Pick<ReplicationSettings, 'mirrors' | 'learnt' | 'removed'> {
    const { scheduler, discovery } = this.#options
    const mirrors: ReplicationSettings['mirrors'][number][] = []
    const learnt: NonNullable<ReplicationSettings['learnt']>[number][] = []
    for (const { address: url, token, databaseId: id, namers } of scheduler.mirrors) {
      const told = id === undefined ? {} : { id }
      if (namers === undefined) mirrors.push({ url, ...(token === undefined ? {} : { token }), ...told })
      else learnt.push({ url, by: namers.map(({ address }) => address), ...told })
    }
    const { removed } = discovery
    return { mirrors, ...(learnt.length > 0 && { learnt }), ...(removed.length > 0 && { removed }) }
  }

  #find(address: string): Mirror | undefined {
    return this.#options.scheduler.mirrors.find((mirror) => mirror.address === address)
  }

  /** Takes in who is named now, and lets go who is not any more. */
  #review(): void {
    const { env, scheduler, discovery } = this.#options
    const wanted = discovery.wanted(scheduler.mirrors.filter(({ namers }) => namers === undefined))
    for (const mirror of scheduler.mirrors.filter(({ namers }) => namers !== undefined)) {
      const namers = wanted.get(mirror.address)
      if (namers === undefined) scheduler.remove(mirror)
      else mirror.namers = namers
    }
    for (const [address, namers] of wanted)
      if (this.#find(address) === undefined) scheduler.add(new Mirror(env, { address, namers }))
  }
}
