import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { nodeEnv } from '@mynah/core'
import { expect, test } from 'vitest'
import type { MirrorClient } from '../src/client/mirror-client.js'
import { askInTurn, type InTurnOptions, type Reachable } from '../src/reads/in-turn.js'

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

const READS = 2_000
const BYTES_A_READ = 100

const ways: readonly (readonly [string, number, () => Promise<void>])[] = [
  ['that are answered at once', 1_000, async () => {}],
  ['that are late', 1, () => new Promise((resolve) => setTimeout(resolve, 10))],
]

test.each(ways)('of reads %s nothing stays in memory', async (_, lateMs, answer) => {
  const { signal } = new AbortController()
  const client = { address: 'http://mirror.test/v1/notes' } as MirrorClient
  // What lives as long as the replication.
  const listeners = new Set<() => void>()
  const options: InTurnOptions = {
    env: nodeEnv,
    reach: async (): Promise<Reachable> => ({ client, signal }),
    spare: () => [],
    onAdded: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    lateMs,
  }
  const heapAfter = async (reads: number) => {
    await Promise.all(Array.from({ length: reads }, () => askInTurn(options, answer)))
    await new Promise((resolve) => setTimeout(resolve, 50))
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  await heapAfter(READS)
  const before = await heapAfter(1)
  const grown = (await heapAfter(READS)) - before
  expect(grown / READS).toBeLessThan(BYTES_A_READ)
  expect(listeners.size).toBe(0)
})
