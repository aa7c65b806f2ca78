import { expect, test } from 'vitest'
import { MynahError } from '../../src/index.js'
import { faults } from './faults.js'
import { Difference } from './history.js'
import { runHistory } from './run.js'

/** Histories in which a fault must show. */
const ENOUGH = 60

test.for(Object.entries(faults))('the model notices %s', async ([, parts]) => {
  let found: unknown
  for (let seed = 1; seed <= ENOUGH && found === undefined; seed++)
    await runHistory(seed, parts).catch((error: unknown) => {
      found = error
    })
  expect(found).toBeInstanceOf(Difference)
  // A harness that is broken is no finding.
  expect((found as Difference).cause).toSatisfy(
    (cause) => cause instanceof Difference || cause instanceof MynahError,
  )
})
