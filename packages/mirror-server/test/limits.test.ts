import { readFileSync } from 'node:fs'
import { limits } from '@mynah/core'
import { wireLimits } from '@mynah/replication/protocol'
import { expect, test } from 'vitest'
import { serverLimits } from '../src/limits.js'

const KIB = 1_024
const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8')

/** As the page has it: the unit is the name's. */
function shown(name: string, value: number): string {
  if (/bytes/i.test(name)) {
    if (value % KIB ** 2 === 0) return `${value / KIB ** 2} MiB`
    return value >= 4 * KIB && value % KIB === 0
      ? `${(value / KIB).toLocaleString('en')} KiB`
      : `${value.toLocaleString('en')} bytes`
  }
  if (/S$/.test(name) && !/Ms$/.test(name)) return `${value} s`
  if (/Ms(?:Max)?$/.test(name)) return value % 1_000 === 0 ? `${value / 1_000} s` : `${value} ms`
  return value.toLocaleString('en')
}

test('the page of limits has every bound of the code, and no other', () => {
  const tables = { 'A document and its database': limits, 'A message': wireLimits, 'A server': serverLimits }
  for (const [title, table] of Object.entries(tables)) {
    const [, section = ''] = page.split(`## ${title}\n`)
    const rows = [...section.split('\n## ')[0]!.matchAll(/^\| `(\w+)` \| ([^|]+) \| /gm)].map(
      ([, name, value]) => [name, value],
    )
    expect([title, Object.fromEntries(rows)]).toEqual([
      title,
      Object.fromEntries(Object.entries(table).map(([name, value]) => [name, shown(name, value)])),
    ])
  }
})
