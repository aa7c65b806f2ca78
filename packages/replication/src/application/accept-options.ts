import {
  callback,
  checkIterable,
  checkMembers,
  flag,
  millisecondsFrom,
  oneOf,
  port,
} from '@mynah/core/replica'
import type { ReplicateOptions } from './replication.js'

const checks = {
  scope: port,
  hold: oneOf('used', 'all'),
  live: flag,
  intervalMs: millisecondsFrom(1),
  onConflict: callback,
  discovery: oneOf('same-token', 'off'),
  transport: port,
  env: port,
}

/**
 * Options as a program without types may give them: what is none would else be taken for the default, and told nobody.
 * Addresses, tokens, and what a scope holds, are checked where they are used.
 *
 * @throws TypeError, RangeError by the option's name
 */
export function acceptOptions(options: ReplicateOptions): void {
  checkMembers(checks, options)
  if (options.mirrors !== undefined) checkIterable('mirrors', options.mirrors)
}
