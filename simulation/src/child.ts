import { runSeed, type Task } from './job.js'

/** A process that runs the seeds that it is sent, one after the other, until nobody sends any more. */
process.on('message', async ({ seed, task }: { readonly seed: number; readonly task: Task }) => {
  process.send?.(await runSeed(seed, task))
})
