import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')

/** A code in quotes, or as the key of a table. */
const CODE = /(?:['"](MYNAH_[A-Z0-9_]+)['"]|^\s*(MYNAH_[A-Z0-9_]+):)/gm

/** All codes in the sources of the packages: every one of them is a promise to callers. */
function codesInSources(): Set<string> {
  const codes = new Set<string>()
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name, 'src')
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue
      for (const [, quoted, key] of readFileSync(join(folder, file), 'utf8').matchAll(CODE)) {
        codes.add((quoted ?? key)!)
      }
    }
  }
  return codes
}

function codesInDocs(): string[] {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  return [...page.matchAll(/^### `(MYNAH_[A-Z0-9_]+)`$/gm)].map(([, code]) => code!)
}

test('each code in the sources has its heading in docs/errors.md, and the other way round', () => {
  const inSources = [...codesInSources()].sort()
  const inDocs = codesInDocs()
  expect(inSources.length).toBeGreaterThan(10)
  expect([...inDocs].sort()).toEqual(inSources)
})

test('each heading tells what happened and what to do', () => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  for (const section of page.split(/^##+ (?=`)/m).slice(1)) {
    expect(section, section.split('\n')[0]!).toMatch(/^\*\*What happened\.\*\* \S/m)
    expect(section, section.split('\n')[0]!).toMatch(/^\*\*What to do\.\*\* \S/m)
  }
})
