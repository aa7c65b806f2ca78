// The entry of `npm run bench:reconcile`: what it costs two replicas that have no checkpoint to find what differs.
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What two replicas without a checkpoint spend to know the same.

  npm run bench:reconcile -- [options]

  --documents N     on each side (1000000)
  --differences N   at random places (10)
  --help            this

Both sides live in one process and in memory, without a network: bytes are those of bodies, both ways together, CPU is of
both sides together.`

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '1000000' },
    differences: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(`${help}\n`)
else {
  await setUp({ tools: false })
  const { reconcileBench } = await import('./src/reconcile-measure.mjs')
  await reconcileBench({ documents: Number(values.documents), differences: Number(values.differences) })
}
