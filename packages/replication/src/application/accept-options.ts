import type { ReplicateOptions } from './replication.js'

const holds: readonly unknown[] = [undefined, 'used', 'all']
const discoveries: readonly unknown[] = [undefined, 'same-token', 'off']

/**
 * Options as a program without types may give them: what is none would else be taken for the default, and told nobody.
 * Addresses, tokens, and how much a scope may hold, are checked where they are used.
 *
 * @throws TypeError, RangeError by the option's name
 */
export function acceptOptions(options: ReplicateOptions): void {
  const { mirrors, scope, hold, discovery, live, intervalMs, onConflict } = options
  if (mirrors !== undefined && !Array.isArray(mirrors)) throw new TypeError('mirrors must be an array')
  if (scope !== undefined && !areTexts(scope?.prefixes))
    throw new TypeError('scope must be { prefixes }, an array of strings')
  if (!holds.includes(hold)) throw new TypeError("hold must be 'used' or 'all'")
  if (!discoveries.includes(discovery)) throw new TypeError("discovery must be 'same-token' or 'off'")
  if (live !== undefined && typeof live !== 'boolean') throw new TypeError('live must be true or false')
  if (intervalMs !== undefined && !(Number.isFinite(intervalMs) && intervalMs > 0))
    throw new RangeError('intervalMs must be a number above 0')
  if (onConflict !== undefined && typeof onConflict !== 'function')
    throw new TypeError('onConflict must be a function')
}

function areTexts(given: unknown): boolean {
  return Array.isArray(given) && given.every((text) => typeof text === 'string')
}
