import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const files = filesBelow('')
const pages = files.filter((file) => file.endsWith('.md'))
const scripts = Object.keys(JSON.parse(read('package.json')).scripts)

const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found!)
const ends = (name: string) => files.some((file) => file.endsWith(`/${name}`))

/** What is written here, with slashes: nothing installed, made or hidden. */
function filesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name)
    if (!entry.isDirectory()) return [file]
    return /^(\..*|node_modules|dist|data|results)$/.test(entry.name) ? [] : filesBelow(file)
  })
}

/** As GitHub makes it of a heading. */
function anchor(heading: string): string {
  const text = heading.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  return text.replace(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-')
}

/** Whether a link of the page leads somewhere. */
function leads(page: string, link: string): boolean {
  const [file = '', section] = link.split('#')
  const target = file === '' ? page : path.join(path.dirname(page), file)
  if (!existsSync(path.join(root, target))) return false
  return (
    section === undefined ||
    all(read(target), /^#+ (.*)$/gm)
      .map(anchor)
      .includes(section)
  )
}

test.each(pages)('%s: links lead somewhere, and commands and tests that it names are there', (page) => {
  const text = read(page)
  const prose = text.replace(/```.*?```/gs, '')
  const links = all(prose, /\]\(([^)]+)\)/g).filter((link) => !link.startsWith('http'))
  expect(links.filter((link) => !leads(page, link))).toEqual([])
  expect(all(text, /npm run ([a-z:]+)/g).filter((name) => !scripts.includes(name))).toEqual([])
  expect(all(prose, /`([\w-]+\.test\.ts)`/g).filter((name) => !ends(name))).toEqual([])
})

test('each file on the map of the code is there', () => {
  const named = all(read('docs/architecture.md'), /`([\w/-]+\.ts)`/g)
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter((name) => !ends(name))).toEqual([])
})

test('each folder of the packages is on the map of the code', () => {
  const folders = all(files.join('\n'), /^packages\/[\w-]+\/src\/([\w-]+)\/[\w./-]+$/gm)
  const map = read('docs/architecture.md')
  expect([...new Set(folders)].filter((folder) => !map.includes(`\`${folder}/\``))).toEqual([])
})
