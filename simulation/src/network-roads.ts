import type { Cuttable, NetworkTime } from './network-connection.js'
import type { NetworkFaults } from './network-faults.js'
import type { Host } from './network-host.js'
import type { Random } from './random.js'

/** What one exchange sees of the network. */
export interface Roads {
  readonly time: NetworkTime
  readonly random: Random
  /** As they are now. */
  faults(): NetworkFaults
  /** Whether what leaves now arrives. */
  passes(from: string, to: string): boolean
  /** Who listens there; 'off' where not even a machine is. */
  host(name: string): Host | 'off' | undefined
  /** Knows it until it ends, to cut it. */
  watch(connection: Cuttable): void
}
