// The lockfile holds names, versions and checksums; a host in it would bind every clone to one registry.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../set-up.mjs'

const text = readFileSync(path.join(root, 'pnpm-lock.yaml'), 'utf8')
const hosts = text.match(/\b(https?|git|ssh):\/\/\S+|\btarball:.*/g) ?? []
if (!text.includes('integrity:')) hosts.push('(no checksums)')
if (hosts.length > 0) console.error(hosts.slice(0, 10).join('\n'))
console.log(`lockfile: ${hosts.length} faults`)
process.exitCode = hosts.length === 0 ? 0 : 1
