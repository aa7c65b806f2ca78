import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMirror } from '@mynah/mirror-server'
import { connect } from '@mynah/replication'
import { Device, type Level } from './device.js'
import type { Save } from './save.js'

const LEVELS = 12
const MAP_BYTES = 20_000
const MERGED_MS_MAX = 60_000

/** What came of it. */
export interface GameReport {
  /** Levels that were played without a network, and one that could not be. */
  readonly offline: readonly number[]
  readonly unreachable: number
  /** The save, as each device has it in the end; the same on all. */
  readonly saves: readonly (Save & { readonly rev: string })[]
}

/** Two devices of one player, and a mirror that goes away while both play. */
export async function playGame(say: (line: string) => void): Promise<GameReport> {
  const place = await mkdtemp(join(tmpdir(), 'mynah-game-'))
  const data = join(place, 'mirror')
  let server = await createMirror({ data })
  try {
    const origin = await server.listen({ port: 0, host: '127.0.0.1' })
    const address = `${origin}/v1/game`
    await fetch(address, { method: 'PUT' })
    await publish(address)
    say(`${LEVELS} levels are on the mirror`)
    await using phone = await Device.start('phone', join(place, 'phone'), address)
    await using laptop = await Device.start('laptop', join(place, 'laptop'), address)

    for (const level of [1, 2, 3]) await phone.level(level)
    await phone.play('ada', (save) => ({ ...save, items: ['map'] }))
    await phone.replication.synced()
    await laptop.replication.sync()
    await laptop.db.get('save/ada')
    say('the phone has played three levels; the laptop has the save')

    await server.close()
    say('the network is gone')
    const offline: number[] = []
    for (const level of [1, 2, 3]) if (await phone.level(level)) offline.push(level)
    const isThere = await phone.level(9)
    if (isThere) throw new Error('level 9 was never read, and is there')
    say(`the phone plays on: levels ${offline.join(', ')} are cached, level 9 is not`)
    await phone.play('ada', (save) => ({ gold: save.gold + 50, items: [...save.items, 'lamp'], level: 3 }))
    await laptop.play('ada', (save) => ({ ...save, gold: save.gold - 30, items: [...save.items, 'rope'] }))
    say('both save: the phone found 50 gold and a lamp, the laptop spent 30 on a rope')

    server = await createMirror({ data })
    await server.listen({ port: Number(new URL(origin).port), host: '127.0.0.1' })
    say('the network is back')
    const saves = await merged([phone, laptop])
    for (const [at, { gold, items, level }] of saves.entries())
      say(`${['phone', 'laptop'][at]}: ${gold} gold, ${items.join(' and ')}, level ${level}`)
    return { offline, unreachable: 9, saves }
  } finally {
    await server.close()
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function publish(address: string): Promise<void> {
  const mirror = await connect(address)
  const levels = Array.from({ length: LEVELS }, (_, n): Level & { id: string } => ({
    id: `level/${n + 1}`,
    title: `Level ${n + 1}`,
    map: Uint8Array.from({ length: MAP_BYTES }, (_, at) => (at * (n + 1)) % 251),
  }))
  for (const outcome of await mirror.putMany(levels)) if (!outcome.ok) throw outcome.error
  await mirror.close()
}

/** The save on each device, when all have the same and no conflict. */
async function merged(devices: readonly Device[]): Promise<(Save & { readonly rev: string })[]> {
  const end = Date.now() + MERGED_MS_MAX
  for (;;) {
    const reads = await Promise.all(devices.map(({ db }) => db.read<Save>('save/ada')))
    const saves = reads.flatMap(({ doc }) => (doc ? [doc] : []))
    const isWhole = reads.every(({ conflicts }) => conflicts.length === 0) && saves.length === devices.length
    if (isWhole && new Set(saves.map(({ rev }) => rev)).size === 1 && saves[0]!.items.length === 3)
      return saves
    if (Date.now() > end) throw new Error(`the saves are not merged: ${JSON.stringify(reads)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
