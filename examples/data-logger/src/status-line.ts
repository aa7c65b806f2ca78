/** What a line of status is made of. Bytes and counts are absolute. */
export interface LoggerStatus {
  readonly documents: number
  /** What all documents would take as JSON, if all were as long as those of this run; 0 before the first. */
  readonly jsonBytes: number
  /** Of all the database's files, index and hot tail too. */
  readonly diskBytes: number
  readonly mirror: string
  /** Records that the mirror still lacks. */
  readonly ahead: number
  /** Records of the mirror that were not looked at yet. */
  readonly behind: number
  readonly skipped: number
  readonly cpuPercent: number | undefined
  readonly memoryPercent: number | undefined
  readonly lastSample: Date | undefined
  /** What went wrong last, when the last sample did. */
  readonly fault: string | undefined
}

export function formatStatus(status: LoggerStatus): string {
  const size = `${bytes(status.diskBytes)} on disk`
  const parts = [
    `${count(status.documents)} ${status.documents === 1 ? 'document' : 'documents'}`,
    `mirror ${status.mirror}, ${count(status.ahead)} ahead, ${count(status.behind)} behind`,
    status.jsonBytes === 0 ? size : `~${bytes(status.jsonBytes)} as JSON → ${size}${ratio(status)}`,
  ]
  if (status.lastSample !== undefined) {
    const time = status.lastSample.toTimeString().slice(0, 8)
    parts.push(`${time} cpu ${status.cpuPercent?.toFixed(0)} % memory ${status.memoryPercent?.toFixed(0)} %`)
  }
  if (status.skipped > 0) parts.push(`${count(status.skipped)} skipped`)
  if (status.fault !== undefined) parts.push(`! ${status.fault}`)
  return parts.join(' · ')
}

/** A count with separators, as in 12,345. */
export function count(value: number): string {
  return value.toLocaleString('en-GB')
}

/** Bytes with a decimal unit and about three digits, as in 12.3 kB. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let scaled = value
  let unit = 0
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1_000
    unit += 1
  }
  return `${unit === 0 || scaled >= 99.95 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[unit]}`
}

function ratio(status: LoggerStatus): string {
  const times = status.jsonBytes / status.diskBytes
  return times >= 1.05 ? ` (${times.toFixed(1)} times smaller)` : ''
}
