// Packs the three packages as they would be published, into the folder that is named, and judges them with publint.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { root, runPnpm } from '../set-up.mjs'

const target = path.resolve(process.argv[2])
rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
let faults = 0

for (const name of ['core', 'replication', 'mirror-server']) {
  const folder = path.join(root, 'packages', name)
  await runPnpm(['--dir', folder, 'pack', '--pack-destination', target])
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const { messages } = await publint({ pkgDir: folder, pack: 'npm', strict: true })
  for (const message of messages) {
    faults += 1
    console.error(`${manifest.name}: ${formatMessage(message, manifest)}`)
  }
}
const tarballs = readdirSync(target).filter((file) => file.endsWith('.tgz'))
for (const tarball of tarballs) faults += strangers(path.join(target, tarball))
if (tarballs.length !== 3) faults += 1
console.log(`packages: ${tarballs.join(', ')}; ${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1

/** Files in a tarball that nobody asked for; the workspace's own references must have become versions. */
function strangers(tarball) {
  const list = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean)
  const odd = list.filter(
    (file) => !/^package\/(dist|src|bin|grafana)\/|^package\/(package\.json|README\.md|LICENSE)$/.test(file),
  )
  const manifest = spawnSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }).stdout
  if (manifest.includes('workspace:')) odd.push('package.json with workspace:')
  for (const file of odd) console.error(`${path.basename(tarball)}: ${file}`)
  return odd.length
}
