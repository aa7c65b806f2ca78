import { createInterface } from 'node:readline'
import { open } from '@mynah/core'
import { FullDiskWriters } from './disk-full-writers.js'
import { tell } from './message.js'

/** What the child is to do: the first line of its input. A second line ends it. */
export interface FullDiskTask {
  readonly location: string
  readonly seed: number
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  const task = JSON.parse((await lines.next()).value as string) as FullDiskTask
  const db = await open(task.location, { shardBytes: 8_192 })
  tell({ kind: 'open' })
  const writers = new FullDiskWriters(db, task.seed, tell)
  const running = writers.run()
  await lines.next()
  writers.stop()
  await running
  await db.close()
  tell({ kind: 'closed' })
  process.stdin.destroy()
}

await main().catch((error: unknown) => {
  tell({ kind: 'fault', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  process.exitCode = 1
})
