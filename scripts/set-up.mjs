// Brings a clone into working order without anything but Node and its npm: packages, then compiled code.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const stampFile = path.join(root, 'node_modules/.mynah-installed.json')
const lockFile = path.join(root, '.set-up.lock')

/** What stays of npm's own settings: how to reach a registry, and where to keep what came from it. */
const keptSettings = /^npm_config_(registry|cache|proxy|https?_proxy|noproxy|no_proxy|cafile)$/i

/** An error whose message is all that there is to say. */
export class ShownError extends Error {
  shown = true
}

/**
 * Installs what is missing and compiles what changed; costs about a second when there is nothing to do.
 * `tools` installs what tests and checks need too; without it only what running needs.
 */
export async function setUp({ tools }) {
  await underLock(async () => {
    const wanted = fingerprint()
    const found = readStamp()
    const current = found.fingerprint === wanted && workspaceFolders().every(isLinked)
    if (!current || (tools && !found.tools)) {
      // Tools that are there stay there: installing without them would take them away.
      const all = tools || existsSync(path.join(root, 'node_modules/vitest'))
      await install(all)
      writeFileSync(stampFile, JSON.stringify({ fingerprint: wanted, tools: all }))
    }
    const typescript = path.join(root, 'node_modules/typescript/bin/tsc')
    const projects = tools ? ['.'] : ['examples/data-logger', 'packages/mirror-server']
    await quietly('compiling', process.execPath, [typescript, '-b', ...projects])
  })
}

/** `node scripts/run.mjs set-up`: all that tests and checks need, and no more. */
export async function main() {
  await setUp({ tools: true })
  return 0
}

async function install(tools) {
  const args = ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false']
  if (!tools) args.push('--prod')
  // Without a home pnpm would look for a place outside of this folder.
  if (!isWritable(homedir())) args.push('--store-dir', path.join(root, 'node_modules/.pnpm-store'))
  await runPnpm(args, 'installing packages (once)')
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Runs the pnpm that package.json names, and nobody has to install. */
export async function runPnpm(args, what = `pnpm ${args.join(' ')}`) {
  const { packageManager } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  const npx = findNpx()
  await quietly(what, npx.file, [...npx.args, '--yes', packageManager, ...args], npx.shell)
}

/** The environment without npm's settings for the script that we are: a nested npx would take them for its own. */
export function cleanEnv() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || keptSettings.test(name)),
  )
}

/** The npx beside the npm that runs us, else the one on the path. */
function findNpx() {
  const npm = process.env.npm_execpath ?? ''
  const beside = path.join(path.dirname(npm), 'npx-cli.js')
  if (path.basename(npm) === 'npm-cli.js' && existsSync(beside)) {
    return { file: process.execPath, args: [beside], shell: false }
  }
  return { file: 'npx', args: [], shell: process.platform === 'win32' }
}

/** All that decides what an installation holds. */
function fingerprint() {
  const hash = createHash('sha256')
  hash.update(`${process.platform} ${process.arch} ${process.versions.modules}`)
  const manifests = workspaceFolders().map((folder) => path.join(folder, 'package.json'))
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    hash.update(`\0${file}\0`)
    hash.update(readFileSync(path.join(root, file)))
  }
  return hash.digest('hex')
}

function workspaceFolders() {
  const folders = []
  for (const parent of ['packages', 'examples']) {
    for (const entry of readdirSync(path.join(root, parent))) folders.push(`${parent}/${entry}`)
  }
  folders.push('audit')
  return folders.filter((folder) => existsSync(path.join(root, folder, 'package.json'))).sort()
}

function isLinked(folder) {
  const { dependencies } = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'))
  return Object.keys(dependencies ?? {}).every((name) =>
    existsSync(path.join(root, folder, 'node_modules', name, 'package.json')),
  )
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return {}
  }
}

/** Runs a command with its output kept back: one line of progress when it is slow, all of it when it fails. */
async function quietly(what, file, args, shell = false) {
  const started = Date.now()
  const child = spawn(file, args, { cwd: root, env: cleanEnv(), shell, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = []
  child.stdout.on('data', (chunk) => output.push(chunk))
  child.stderr.on('data', (chunk) => output.push(chunk))
  const slow = setTimeout(() => console.error(`mynah: ${what} …`), 2_000)
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => clearTimeout(slow))
  if (code !== 0) {
    throw new ShownError(
      `${Buffer.concat(output).toString()}\nmynah: ${what} failed (exit code ${code}): ${file} ${args.join(' ')}`,
    )
  }
  const seconds = (Date.now() - started) / 1_000
  if (seconds >= 2) console.error(`mynah: ${what} took ${seconds.toFixed(0)} s`)
}

/** One set-up at a time in a clone: two terminals may both be started in a fresh one. */
async function underLock(run) {
  let told = false
  while (!tryLock()) {
    if (!told) console.error(`mynah: waiting for the set-up in another terminal (${lockFile}) …`)
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  try {
    await run()
  } finally {
    rmSync(lockFile, { force: true })
  }
}

function tryLock() {
  try {
    const file = openSync(lockFile, 'wx')
    writeFileSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  if (isAbandoned()) rmSync(lockFile, { force: true })
  return false
}

function isAbandoned() {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'))
    // An owner that died between creating the file and writing its number leaves it empty.
    return pid === 0 ? Date.now() - statSync(lockFile).mtimeMs > 5_000 : !isAlive(pid)
  } catch {
    return false
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
