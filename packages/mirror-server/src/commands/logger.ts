import { type Logger, pino } from 'pino'

const levels: Readonly<Record<number, string>> = { 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' }

/** A log line for people: time, message, the other members, and an error's stack below. */
export function readableLine(line: string): string {
  const {
    level,
    time,
    msg,
    pid: _pid,
    hostname: _hostname,
    err,
    ...rest
  } = JSON.parse(line) as {
    level: number
    time: number
    msg?: string
    err?: { stack?: string; message?: string }
    [member: string]: unknown
  }
  const clock = new Date(time).toTimeString().slice(0, 8)
  const members = Object.entries(rest).map(([member, value]) => ` ${member}=${JSON.stringify(value)}`)
  const stack = err === undefined ? '' : `\n${err.stack ?? err.message ?? ''}`
  return `${clock} ${levels[level] ?? ''}${msg ?? ''}${members.join('')}${stack}\n`
}

/** Writes to standard output: JSON lines, or readable ones for a terminal. */
export function createLogger(level: string): Logger {
  const out = pino.destination({ fd: 1, sync: true })
  return process.stdout.isTTY
    ? pino({ base: null, level }, { write: (line) => void out.write(readableLine(line)) })
    : pino({ base: null, level }, out)
}
