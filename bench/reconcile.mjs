// The entry of `npm run bench:reconcile`: what it costs two replicas that have no checkpoint to find what differs.
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What two replicas without a checkpoint spend to know the same.

  npm run bench:reconcile -- [options]

  --documents N     on each side (1000000)
  --differences N   at random places (10)
  --data DIR        where the databases are made, and removed again (the system's folder for temporary files)
  --help            this

Both sides live in one process, without a network: bytes are those of bodies, both ways together, CPU is of both sides
together. Before each row no checkpoint holds. Round trips are those in which differences are found and exchanged; the
session's greeting and its first pull come on top. "Just opened": no page has been compared with its entries since.`

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '1000000' },
    differences: { type: 'string', default: '10' },
    data: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(`${help}\n`)
else {
  await setUp({ tools: false })
  const { reconcileBench } = await import('./src/reconcile-measure.mjs')
  const { documents, differences, data } = values
  await reconcileBench({ documents: Number(documents), differences: Number(differences), data })
}
