import { open } from '@mynah/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualEnv } from './manual-env.js'
import type { Fault } from './memory-mirror.js'
import { known, Rig } from './rig.js'

test('whatever fails and whenever a peer restarts, both sides end the same and nothing is lost', async () => {
  const faults: readonly Fault[] = ['refuse', 'lose', 'portal', 'garble', 'fail']
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(undefined, undefined, ...faults), { minLength: 5, maxLength: 40 }),
      fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }),
      fc.integer(),
      async (script, restarts, seed) => {
        await using scene = new Rig()
        const folder = await scene.folder()
        const mirror = await scene.mirror()
        let step = 0
        mirror.fault = () => script[step++]
        const written = new Set<string>()
        for (const [round, requests] of restarts.entries()) {
          const db = await open(folder)
          const env = new ManualEnv(seed + round)
          await scene.replicate(db, mirror, { env })
          const until_ = mirror.asked.length + requests
          for (let n = 0; n < 5; n++) {
            const id = `d${(n * 7 + round * 3) % 11}`
            await db.put({ id, n, round }, { overwrite: true })
            await mirror.database.put({ id: `m${n}`, round }, { overwrite: true })
            written.add(id).add(`m${n}`)
          }
          for (let tick = 0; tick < 100 && mirror.asked.length < until_; tick++) await env.advance(500)
          await db.close()
        }
        mirror.fault = () => undefined
        const db = await open(folder)
        await (await scene.replicate(db, mirror)).sync()
        const here = await known(db)
        expect(new Set(here.keys())).toEqual(written)
        expect(here).toEqual(await known(mirror.database))
        await db.close()
      },
    ),
    { numRuns: 15 },
  )
})
