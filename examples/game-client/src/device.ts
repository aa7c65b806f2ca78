import { type Conflict, type Database, open } from '@mynah/core'
import { type Replication, replicate } from '@mynah/replication'
import { mergeSaves, type Save } from './save.js'

/** A level of the game, made by its authors. */
export interface Level {
  readonly title: string
  readonly map: Uint8Array
}

/** The game on one device: a database of its own, which replicates in the background whenever it can. */
export class Device implements AsyncDisposable {
  private constructor(
    readonly name: string,
    readonly db: Database,
    readonly replication: Replication,
  ) {}

  static async start(name: string, folder: string, mirror: string): Promise<Device> {
    const db = await open(folder)
    const replication = await replicate(db, {
      mirrors: [mirror],
      onConflict: (conflict) =>
        conflict.id.startsWith('save/') ? mergeSaves(conflict as Conflict<Save>) : undefined,
    })
    return new Device(name, db, replication)
  }

  /** A level, from this device where it was played before; undefined where it has to be fetched and cannot be. */
  async level(number: number): Promise<Level | undefined> {
    try {
      return await this.db.get<Level>(`level/${number}`, { waitMs: 500 })
    } catch (error) {
      if ((error as { code?: string }).code === 'MYNAH_UNREACHABLE') return undefined
      throw error
    }
  }

  /** Plays: changes the save at once, with a network or without. */
  async play(player: string, change: (save: Save) => Save): Promise<Save> {
    const start: Save = { gold: 100, items: [], level: 1 }
    const saved = await this.db.update<Save>(`save/${player}`, (save) => change(save ?? start))
    return saved!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.replication.close()
    await this.db.close()
  }
}
