import type { Replica, ReplicationSettings } from '@mynah/core/replica'
import type { KnownMirrors } from '../scheduler/known-mirrors.js'
import { checkPrefixes, type Scope } from '../scope/scope.js'
import { bearerToken, mirrorAddress } from '../transport/mirror-address.js'
import { Leaving, leftBy } from './leaving.js'
import type { ReplicateOptions } from './replication.js'

/**
 * What is remembered, with what is given now.
 * @throws TypeError, RangeError for wrong options: a mirror's address or token that is none, prefixes that are too many or too long
 */
export function settingsWith(
  remembered: ReplicationSettings,
  options: Pick<ReplicateOptions, 'mirrors' | 'scope' | 'hold'>,
): ReplicationSettings {
  const mirrors = new Map(remembered.mirrors.map((mirror) => [mirror.url, mirror]))
  for (const given of options.mirrors ?? []) {
    const { url, token } = typeof given === 'string' ? { url: given, token: undefined } : given
    const address = mirrorAddress(url)
    mirrors.set(address, {
      ...mirrors.get(address),
      url: address,
      ...(token === undefined ? {} : { token: bearerToken(token) }),
    })
  }
  if (options.scope !== undefined) checkPrefixes(options.scope.prefixes)
  const scope = options.scope?.prefixes ?? remembered.scope
  const hold = options.hold ?? remembered.hold
  const left = leftBy(remembered, scope)
  const { learnt, removed } = remembered
  return {
    mirrors: [...mirrors.values()],
    ...(learnt && { learnt }),
    ...(removed && { removed }),
    ...(scope && { scope: [...scope] }),
    ...(hold && { hold }),
    ...(left.length > 0 && { left }),
  }
}

/** What a replication keeps in the database beside checkpoints. */
export interface Memory {
  /** Durable when resolved. */
  readonly remember: () => Promise<void>
  readonly leaving: Leaving
}

/**
 * What writes the mirrors, as they are when its turn comes, and what else is to be remembered, where it is not remembered
 * so. One call after another: else one that compares while the last one still writes would take for done what is not.
 */
export function remembering(
  replica: Replica,
  mirrors: () => ReturnType<KnownMirrors['settings']>,
  { scope, hold, left }: Pick<ReplicationSettings, 'scope' | 'hold' | 'left'>,
  scopeNow: () => Scope,
): Memory {
  const leaving = new Leaving(replica, scopeNow, left)
  const write = async () => {
    const settings: ReplicationSettings = {
      ...mirrors(),
      ...(scope && { scope }),
      ...(hold && { hold }),
      ...(leaving.parts.length > 0 && { left: leaving.parts }),
    }
    if (JSON.stringify(settings) !== JSON.stringify(replica.settings())) await replica.setSettings(settings)
  }
  let last = Promise.resolve()
  const remember = () => {
    last = last.then(write, write)
    return last
  }
  return { remember, leaving }
}
