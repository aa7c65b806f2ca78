import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const run = promisify(execFile)

test('a mirror is killed while three loggers write: both have each reading once', {
  timeout: 120_000,
}, async () => {
  const { stdout } = await run(process.execPath, [cli, '--seconds', '2'])
  const [, written] = /^(\d+) readings; 0 missing, 0 twice or from nowhere$/m.exec(stdout) ?? []
  expect(Number(written), stdout).toBeGreaterThan(30)
})

test('what it cannot do it says', async () => {
  await expect(run(process.execPath, [cli, '--seconds', 'x'])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--seconds is a number'),
  })
  expect((await run(process.execPath, [cli, '--help'])).stdout).toContain('kill -9')
})
