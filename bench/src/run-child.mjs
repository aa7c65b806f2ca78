import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const child = fileURLToPath(new URL('./child.mjs', import.meta.url))

/**
 * Runs one measurement in a process of its own and gives its result.
 * With `killAfterMs`, the child is killed so long after it said that it is ready; the result is then the last number
 * of documents that it had told to be acknowledged.
 */
export function runChild(task, { execArgv = [], killAfterMs } = {}) {
  return new Promise((resolve, reject) => {
    const running = fork(child, [JSON.stringify(task)], { execArgv: ['--expose-gc', ...execArgv] })
    let result
    let acknowledged = 0
    running.on('message', (message) => {
      if (message.result) result = message.result
      if (message.acknowledged) acknowledged = message.acknowledged
      if (message.ready) setTimeout(() => running.kill('SIGKILL'), killAfterMs)
    })
    running.on('error', reject)
    running.on('exit', (code, signal) => {
      if (killAfterMs !== undefined && signal === 'SIGKILL') resolve({ acknowledged })
      else if (code === 0 && result) resolve(result)
      else reject(new Error(`${task.store} ${task.measurement}: child ended with ${signal ?? code}`))
    })
  })
}
