import { holds, same } from './check.js'
import type { PushTold } from './raw-answer.js'
import type { MirrorChecks, RawDatabase } from './raw-database.js'
import { leafOf, revision, type SentRecord } from './revisions.js'

/** Of a mirror that can be ended at once. */
export function durabilityChecks(restart: () => Promise<void>): MirrorChecks {
  return {
    'what was acknowledged is there after the mirror was ended at once, and its place still holds': async (
      db,
    ) => {
      await db.create()
      const { id } = await db.info()
      const acknowledged: { readonly record: SentRecord; readonly told: PushTold }[] = []
      const pushing = pushUntilItEnds(db, acknowledged)
      while (acknowledged.length < 20) await new Promise(setImmediate)
      await restart()
      await pushing
      same((await db.info()).id, id, 'the id of the database')
      for (const { record, told } of acknowledged) {
        same(await db.missing(record), [false], `missing of ${record.id}`)
        same(await db.holds(told.position), [true], `the place of ${record.id}`)
        same((await db.fetch([leafOf(record)])).length, 1, `fetch of ${record.id}`)
      }
      const found = new Set((await db.pullAll()).map((record) => record.id))
      for (const { record } of acknowledged) holds(found.has(record.id), `${record.id} is not in the feed`)
    },
  }
}

async function pushUntilItEnds(
  db: RawDatabase,
  acknowledged: { readonly record: SentRecord; readonly told: PushTold }[],
): Promise<void> {
  try {
    for (let n = 0; ; n++) {
      const record = revision(`d${n}`, n)
      acknowledged.push({ record, told: await db.push([record]) })
    }
  } catch (error) {
    // It ends with the mirror: that is what it is for.
    if (!(error instanceof TypeError)) throw error
  }
}
