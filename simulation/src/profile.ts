/** How a run is drawn: how large, how busy, and how much goes wrong. Chances are per step unless said otherwise. */
export interface Profile {
  readonly peers: readonly [least: number, most: number]
  readonly mirrors: readonly [least: number, most: number]
  readonly ids: readonly [least: number, most: number]
  /** The chance that a run has many more documents, of which little is asked. */
  readonly many: number
  readonly steps: readonly [least: number, most: number]
  /** Mean pause between two steps, virtual milliseconds. */
  readonly pauseMs: readonly [least: number, most: number]
  /** The chance that a peer's index covers a part of the documents only. */
  readonly scoped: number
  /** The chance that a run has hours in which nothing is done and nothing goes wrong. */
  readonly hours: number
  /** The chance that the mirrors of a run name each other, and peers use those that are named. */
  readonly discovers: number
  /** The chance that a machine may send and take so many bytes in an hour only. */
  readonly frugal: number
  /** Of messages between machines: lost, doubled, cut off, answered by a captive portal. A run draws its share of it. */
  readonly network: number
  readonly partition: number
  readonly kill: number
  readonly powerCut: number
  /** A clean close and open. */
  readonly restart: number
  /** An old copy of the disk in the place of the newer. */
  readonly restore: number
  /**
   * Changes of who belongs to the fleet: copies of a peer's disk, databases with another's documents, mirrors that join,
   * leave or are wiped.
   */
  readonly membership: number
  /** Changes of mode and scope. */
  readonly settings: number
  readonly clock: number
  /** Disks that fail or are full for a while. */
  readonly disk: number
}

const everything: Profile = {
  peers: [2, 5],
  mirrors: [1, 3],
  ids: [5, 40],
  many: 0.2,
  steps: [100, 600],
  pauseMs: [10, 120],
  scoped: 0.3,
  hours: 0.2,
  discovers: 0.15,
  frugal: 0.05,
  network: 0.05,
  partition: 0.01,
  kill: 0.012,
  powerCut: 0.012,
  restart: 0.008,
  restore: 0.006,
  membership: 0.004,
  settings: 0.006,
  clock: 0.01,
  disk: 0.006,
}

/** Everything, in less time: more goes wrong in fewer steps. */
const short: Profile = {
  ...everything,
  peers: [2, 3],
  mirrors: [1, 2],
  ids: [5, 15],
  steps: [60, 140],
  hours: 0.1,
  network: 0.08,
  partition: 0.02,
  kill: 0.025,
  powerCut: 0.025,
  restart: 0.015,
  restore: 0.015,
  membership: 0.012,
  settings: 0.012,
  clock: 0.02,
  disk: 0.015,
}

const calm: Profile = {
  ...everything,
  network: 0,
  partition: 0,
  kill: 0,
  powerCut: 0,
  restart: 0,
  restore: 0,
  membership: 0,
  settings: 0,
  clock: 0,
  disk: 0,
}

/** By name, for `--profile`. */
export const profiles = {
  everything,
  short,
  /** Nothing goes wrong. */
  calm,
  /** For merges: few documents, long times apart, and everybody sees everything. */
  merges: {
    ...short,
    scoped: 0,
    hours: 0,
    discovers: 0,
    frugal: 0,
    partition: 0.06,
    restore: 0,
    membership: 0,
    settings: 0,
    disk: 0,
  },
  /** Only processes and machines end. */
  crashes: { ...calm, kill: 0.03, powerCut: 0.03, restart: 0.02 },
  /** Only the network fails. */
  network: { ...calm, network: 0.15, partition: 0.03 },
  /** Only disks fail, and machines end. */
  disks: { ...calm, kill: 0.01, powerCut: 0.02, disk: 0.03 },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles
