// `npm test`: everything that the tests need, then all of them. Arguments go to vitest.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { root, setUp } from './set-up.mjs'

export async function main(args) {
  await setUp({ tools: true })
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', ...args], { cwd: root, stdio: 'inherit' })
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
