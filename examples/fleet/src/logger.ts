import { freemem, loadavg } from 'node:os'
import { open } from '@mynah/core'
import { replicate } from '@mynah/replication'

const PAUSE_MS = 20

/** What a logger tells the one that started it. */
export interface LoggerNews {
  /** Ids of the readings that were acknowledged since the last news. */
  readonly written: readonly string[]
  /** The mirror in use. */
  readonly mirror: string | undefined
  readonly ahead: number
}

/**
 * A logger: a process with a database of its own, which writes a reading every 20 ms and never waits for a mirror. On a
 * message it stops writing, waits until a mirror has all of it, and ends.
 */
async function main(name: string, folder: string, mirrors: readonly string[]): Promise<void> {
  await using db = await open(folder)
  // It only pushes: what the mirrors have does not come here.
  await using replication = await replicate(db, { mirrors, scope: { prefixes: [] } })
  let stopping = false
  process.on('message', () => {
    stopping = true
  })
  let written: string[] = []
  const tell = (): void => {
    const { mirror, ahead } = replication.status()
    const news: LoggerNews = { written, mirror, ahead }
    process.send!(news)
    written = []
  }
  for (let n = 0; !stopping; n++) {
    const id = `${name}/${String(n).padStart(8, '0')}`
    await db.put({ id, at: new Date(), load: loadavg()[0] ?? 0, freeBytes: freemem() })
    written.push(id)
    if (n % 10 === 0) tell()
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  await replication.synced()
  tell()
}

const [name, folder, ...mirrors] = process.argv.slice(2)
await main(name!, folder!, mirrors)
process.disconnect()
