// No source file over 300 lines and no function over 70: what grows past that is two things. An exception is listed
// here with its reason, and an entry that is no longer needed is a fault too.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { root } from '../set-up.mjs'

const fileLines = 300
const functionLines = 70

/** 'file' or 'file#function' → reason. */
const exceptions = new Map([
  [
    'packages/core/src/compliance/storage.ts#storageCompliance',
    'a suite is a list of tests inside a describe',
  ],
])

const faults = []
const used = new Set()
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => existsSync(path.join(root, file)))
  .filter((file) => /\.(ts|mts|mjs|cjs|js)$/.test(file))
  // Tests are lists of facts: the file may be long, and a `describe` is not a function that anybody follows.
  .filter((file) => !/\.test\.ts$|\/fixtures\//.test(file))
if (files.length < 50) faults.push(`only ${files.length} files were found: too few to be true`)

for (const file of files) {
  const text = readFileSync(path.join(root, file), 'utf8')
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  judge(file, lineOf(source, source.end) - (text.endsWith('\n') ? 1 : 0), fileLines, file)
  visit(source, (node) => {
    if (!ts.isFunctionLike(node) || node.body === undefined) return
    const from = lineOf(source, node.getStart(source))
    judge(`${file}#${nameOf(node)}`, lineOf(source, node.end) - from + 1, functionLines, `${file}:${from}`)
  })
}
for (const name of exceptions.keys()) {
  if (!used.has(name)) faults.push(`${name} is listed as an exception and needs none`)
}
for (const fault of faults) console.error(fault)
console.log(`lengths: ${files.length} files, ${used.size} exceptions, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1

function judge(name, lines, most, place) {
  if (lines <= most) return
  if (exceptions.has(name)) used.add(name)
  else faults.push(`${place}: ${name} has ${lines} lines, ${most} are allowed`)
}

function visit(node, see) {
  ts.forEachChild(node, (child) => {
    see(child)
    visit(child, see)
  })
}

function lineOf(source, position) {
  return source.getLineAndCharacterOfPosition(position).line + 1
}

function nameOf(node) {
  return node.name?.getText() ?? node.parent?.name?.getText?.() ?? 'anonymous'
}
