import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror, temporaryFolder } from './fixture.js'

const root = join(import.meta.dirname, '../../..')
const ADDRESS = 'http://127.0.0.1:8800'
/** What an example prints: behind its statement, or on lines of its own. */
const PRINTED = /\/\/ → (.*)$/gm

/** All examples of a page as one module, and what it is to print. */
async function examples(page: string): Promise<{ readonly code: string; readonly printed: string }> {
  const text = await readFile(join(root, 'docs', page), 'utf8')
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block!)
  expect(blocks.length).toBeGreaterThan(4)
  const code = blocks.join('\n')
  return { code, printed: [...code.matchAll(PRINTED)].map(([, line]) => `${line}\n`).join('') }
}

function faultsOf(file: string): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // A reader's program need not use all that it names.
  const reader = { noUnusedLocals: false, composite: false, declaration: false, declarationMap: false }
  const program = ts.createProgram([file], { ...options, ...reader, noEmit: true })
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test.each(['guide', 'replication'])(
  'the examples of the %s page compile, run in their order, and print what it says',
  async (page) => {
    const { code, printed } = await examples(`${page}.md`)
    const { origin } = await startMirror(['sensors'])
    // Where imports of the packages lead to the packages.
    const folder = join(import.meta.dirname, `../node_modules/.${page}-${process.pid}`)
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await mkdir(folder, { recursive: true })
    const source = join(folder, 'page.mts')
    await writeFile(source, code.replaceAll(ADDRESS, origin))
    expect(faultsOf(source)).toEqual([])
    const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
    const { outputText } = ts.transpileModule(await readFile(source, 'utf8'), { compilerOptions: options })
    await writeFile(join(folder, 'page.mjs'), outputText)
    const cwd = await temporaryFolder()
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'page.mjs')], {
      cwd,
      timeout: 20_000,
    })
    expect(stdout).toBe(printed)
  },
)
