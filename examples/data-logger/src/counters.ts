import { readdir, readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'

/** Bytes since the machine was started. What the operating system does not tell is left out. */
export interface Counters {
  /** When they were read, in milliseconds of a clock that never goes back. */
  readonly readMs: number
  readonly diskReadBytes?: number
  readonly diskWriteBytes?: number
  readonly networkInBytes?: number
  readonly networkOutBytes?: number
}

export type CounterSource = () => Promise<Counters>

/**
 * The source for this platform. Linux tells in two small files. Elsewhere `systeminformation` runs the system's own
 * tools, which may take a second of their own: they run at most every ten seconds, and never hold up a sample.
 */
export async function countersOf(platform: NodeJS.Platform): Promise<CounterSource> {
  return platform === 'linux' ? readProc : await toolsSource(10_000)
}

async function readProc(): Promise<Counters> {
  const [disks, diskStats, network] = await Promise.all([
    readdir('/sys/block').catch(() => []),
    readFile('/proc/diskstats', 'utf8').catch(() => ''),
    readFile('/proc/net/dev', 'utf8').catch(() => ''),
  ])
  return { readMs: performance.now(), ...parseDiskStats(diskStats, disks), ...parseNetwork(network) }
}

/** Sums `/proc/diskstats` over whole devices that are no copy of another (partitions, device mapper, loops, RAM). */
export function parseDiskStats(text: string, disks: readonly string[]): Partial<Counters> {
  let diskReadBytes = 0
  let diskWriteBytes = 0
  let found = false
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const name = fields[2]
    if (name === undefined || !disks.includes(name) || /^(loop|ram|zram|dm-|md|sr|fd)/.test(name)) continue
    found = true
    // The kernel counts sectors of 512 bytes here, whatever the device's own are.
    diskReadBytes += Number(fields[5]) * 512
    diskWriteBytes += Number(fields[9]) * 512
  }
  return found ? { diskReadBytes, diskWriteBytes } : {}
}

/** Sums `/proc/net/dev` over interfaces that lead out of the machine. */
export function parseNetwork(text: string): Partial<Counters> {
  let networkInBytes = 0
  let networkOutBytes = 0
  let found = false
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim()
    if (colon < 0 || /^(lo|ifb|dummy|veth|docker|br-|virbr|tun|tap)/.test(name)) continue
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
    found = true
    networkInBytes += Number(fields[0])
    networkOutBytes += Number(fields[8])
  }
  return found ? { networkInBytes, networkOutBytes } : {}
}

/** Answers at once with what the tools told last, and asks them again when that is older than `everyMs`. */
export async function toolsSource(everyMs: number): Promise<CounterSource> {
  const { default: system } = await import('systeminformation')
  async function ask(): Promise<Counters> {
    const [disks, interfaces] = await Promise.all([system.fsStats(), system.networkStats()])
    const first = interfaces[0]
    return {
      readMs: performance.now(),
      // Null on Windows, whatever the types say.
      ...((disks as typeof disks | null) === null
        ? {}
        : { diskReadBytes: disks.rx, diskWriteBytes: disks.wx }),
      ...(first === undefined ? {} : { networkInBytes: first.rx_bytes, networkOutBytes: first.tx_bytes }),
    }
  }
  let newest: Counters = await ask().catch(() => ({ readMs: performance.now() }))
  let asking = false
  return async () => {
    if (!asking && performance.now() - newest.readMs >= everyMs) {
      asking = true
      void ask()
        .then((counters) => {
          newest = counters
        })
        .catch(() => undefined)
        .finally(() => {
          asking = false
        })
    }
    return newest
  }
}
