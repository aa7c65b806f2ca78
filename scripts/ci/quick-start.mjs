// Runs the README's quick start as a reader would: in an empty folder, with npm, against the packed packages.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cleanEnv, root } from '../set-up.mjs'

const packages = path.resolve(process.argv[2])
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const section = readme.slice(readme.indexOf('## Quick start'))
const code = /```js\n(.*?)```/s.exec(section)?.[1]
const expected = /```text\n(.*?)```/s.exec(section)?.[1]
if (code === undefined || expected === undefined)
  throw new Error('the README has no quick start in js and text')

const folder = mkdtempSync(path.join(tmpdir(), 'mynah-quick-start-'))
let mirror
try {
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const tarballs = readdirSync(packages).map((file) => path.join(packages, file))
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs])
  writeFileSync(path.join(folder, 'quick-start.js'), code)
  mirror = await startMirror()
  const output = run(process.execPath, ['quick-start.js'])
  if (output !== expected) throw new Error(`the README promises\n${expected}and it printed\n${output}`)
  console.log(`quick start: printed what the README says\n${output}`)
} finally {
  mirror?.kill()
  rmSync(folder, { recursive: true, force: true })
}

/** The second line of the README's shell block, which the code needs to be running. */
async function startMirror() {
  const command = /^npx (mynah serve .*)$/m.exec(section)?.[1]
  if (command === undefined) throw new Error('the README does not say how to start a mirror')
  const [, ...args] = command.trim().split(/\s+/)
  const cli = path.join(folder, 'node_modules/@mynah/mirror-server/dist/cli.js')
  const child = spawn(process.execPath, [cli, ...args], { cwd: folder, stdio: 'inherit' })
  const port = args[args.indexOf('--port') + 1]
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline && child.exitCode === null) {
    const healthy = await fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return child
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill()
  throw new Error('the mirror of the quick start did not start')
}

function run(file, args) {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: folder,
    encoding: 'utf8',
    env: cleanEnv(),
    timeout: 120_000,
  })
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed:\n${error ?? ''}${stdout}${stderr}`)
  return stdout
}
