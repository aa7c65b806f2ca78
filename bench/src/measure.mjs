import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** The value below which `share` of the samples lie. `sorted` is in rising order. */
export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Count, p50, p99 and largest of samples. */
export function summarise(samples) {
  const sorted = Float64Array.from(samples).sort()
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: sorted[sorted.length - 1],
  }
}

/**
 * CPU seconds, user and system, of this process with all its threads, and of its children that have ended where the
 * system tells (Linux).
 */
export function cpuSeconds() {
  const own = process.cpuUsage()
  return (own.user + own.system) / 1e6 + endedChildrenCpuSeconds()
}

function endedChildrenCpuSeconds() {
  if (process.platform !== 'linux') return 0
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticksPerSecond = 100
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

/** Wall and CPU since its making, in seconds. */
export function createStopwatch() {
  const wallStart = performance.now()
  const cpuStart = cpuSeconds()
  return {
    wallSeconds: () => (performance.now() - wallStart) / 1e3,
    cpuSeconds: () => cpuSeconds() - cpuStart,
  }
}

/** Largest resident set of this process so far, bytes. */
export function peakRssBytes() {
  return process.resourceUsage().maxRSS * 1024
}

/** Bytes that this process has had written to a disk, as the system counts them: dirtied pages; NaN elsewhere than on Linux. */
export function writtenBytes() {
  if (process.platform !== 'linux') return Number.NaN
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))[1])
}

/** Watches how late the event loop is; what it tells is milliseconds beyond the 1 ms of its own timer. */
export function watchEventLoop() {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const beyondTimer = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1)
  return () => {
    histogram.disable()
    return {
      count: histogram.count,
      p50: beyondTimer(histogram.percentile(50)),
      p99: beyondTimer(histogram.percentile(99)),
      p999: beyondTimer(histogram.percentile(99.9)),
      max: beyondTimer(histogram.max),
    }
  }
}

/** Every file below a folder: its path from there, and its bytes as a reader and as the disk counts them. */
export function filesBelow(folder, prefix = '') {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = join(prefix, entry.name)
    if (entry.isDirectory()) return filesBelow(folder, path)
    const { size, blocks } = statSync(join(folder, path))
    return [{ path, bytes: size, diskBytes: blocks * 512 }]
  })
}

/** Asks the system to forget its cached pages of a folder's files. False where there is no way to ask. */
export function dropPageCache(folder) {
  try {
    for (const { path } of filesBelow(folder)) {
      const file = join(folder, path)
      execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'], { stdio: 'ignore' })
    }
    return true
  } catch {
    return false
  }
}
