// npm run model -- --histories 2000 --seed 1: random histories of a database beside a naive model of it.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { histories: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } },
})
for (const [name, text] of Object.entries(values))
  if (!/^[1-9][0-9]*$/.test(text)) throw new RangeError(`--${name} is a whole number from 1 on`)

const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'packages/core/test/model/model.test.ts'],
  {
    stdio: 'inherit',
    env: { ...process.env, MYNAH_MODEL_HISTORIES: values.histories, MYNAH_MODEL_SEED: values.seed },
  },
)
process.exitCode = status ?? 1
