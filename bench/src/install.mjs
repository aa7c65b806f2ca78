import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('..', import.meta.url))
const stampFile = path.join(folder, 'node_modules/.mynah-installed')

/** Of npm's settings only those that say how to reach a registry and how to compile; the rest would mislead pnpm. */
const keptSettings = /^npm_config_(registry|cache|proxy|https?_proxy|noproxy|no_proxy|cafile|nodedir)$/i

function installEnvironment() {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name) || keptSettings.test(name)),
  )
  // SQLite is compiled; the headers that came with this Node save a download.
  const prefix = path.resolve(path.dirname(process.execPath), '..')
  if (!environment.npm_config_nodedir && existsSync(path.join(prefix, 'include/node/node.h'))) {
    environment.npm_config_nodedir = prefix
  }
  return environment
}

function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${process.versions.modules}`)
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml']) {
    hash.update(readFileSync(path.join(folder, file)))
  }
  return hash.digest('hex')
}

/** Installs the other stores here, apart from the workspace, unless that was done. */
export async function install() {
  const wanted = fingerprint()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return
  process.stderr.write(
    'installing the other stores for the benchmark (once, a minute where SQLite is compiled)\n',
  )
  const { packageManager } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const child = spawn(
    'npx',
    [
      '--yes',
      packageManager,
      'install',
      '--frozen-lockfile',
      '--reporter=append-only',
      '--config.confirmModulesPurge=false',
    ],
    {
      cwd: folder,
      env: installEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`installing failed:\n${output.slice(-4_000)}`)
  writeFileSync(stampFile, wanted)
}
