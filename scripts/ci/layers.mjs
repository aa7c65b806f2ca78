// The order of imports, by dependency-cruiser, and that it saw what it was to judge: with a compiler that it does
// not know, or a resolver that finds nothing, it sees no modules and is content.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from '../set-up.mjs'

const folders = ['packages', 'examples']
const cruise = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
const args = [cruise, '--config', '.dependency-cruiser.cjs', '--output-type', 'json']
const sources = [
  ...folders.flatMap((parent) => readdirSync(path.join(root, parent)).map((name) => `${parent}/${name}/src`)),
  'simulation/src',
]
const run = spawnSync(process.execPath, [...args, ...sources], {
  cwd: root,
  maxBuffer: 1 << 28,
  encoding: 'utf8',
})
if (run.stdout === '') fail(`dependency-cruiser said nothing: ${run.stderr}`)
const { modules, summary } = JSON.parse(run.stdout)

for (const { rule, from, to } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`)

const seen = new Map(modules.map((module) => [module.source, module]))
const written = sources.flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.posix.join(folder, file.replaceAll(path.sep, '/'))),
)
const unseen = written.filter((file) => !seen.has(file))
if (unseen.length > 0) fail(`dependency-cruiser did not see ${unseen.join(', ')}`)
const edges = written.reduce((sum, file) => sum + seen.get(file).dependencies.length, 0)
const across = written.filter((file) =>
  seen.get(file).dependencies.some((edge) => /^packages\/[^/]+\/dist\//.test(edge.resolved)),
)
if (edges < written.length || across.length === 0) {
  fail(
    `dependency-cruiser saw ${edges} imports, ${across.length} files that import another package: too few to be true`,
  )
}
const { error } = summary
console.log(
  `layers: ${written.length} files, ${edges} imports, ${across.length} files import another package, ${error} faults`,
)
process.exitCode = error === 0 ? 0 : 1

function fail(message) {
  console.error(message)
  process.exit(1)
}
