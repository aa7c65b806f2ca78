import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isAlive, StartProcess, until } from './start-process.js'

let data: string
let port: number
let started: StartProcess[]

// Each start compiles what changed, which takes a while on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'mynah-start-'))
  port = await freePort()
  started = []
})
afterEach(async () => {
  for (const process of started) await process.stop()
  await rm(data, { recursive: true })
})

function start(...args: readonly string[]): StartProcess {
  const process = new StartProcess(...args, '--data', data, '--port', String(port), '--interval', '50')
  started.push(process)
  return process
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('no port')
      resolve(address.port)
    })
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  const free = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return free
}

async function documentsOnMirror(): Promise<number> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/telemetry`)
    return ((await response.json()) as { documents: number }).documents
  } catch {
    return -1
  }
}

async function processOf(name: 'mirror' | 'logger', both: StartProcess): Promise<number> {
  return Number((await both.match(new RegExp(`^${name} +process (\\d+)`, 'm')))[1])
}

test('it explains itself', async () => {
  const help = start('--help')
  expect(await help.ended).toBe(0)
  expect(help.output).toMatch('npm start -- mirror')
})

test.each([
  [['nonsense'], '"nonsense" is not a part that can be started'],
  [['--colour', 'red'], "Unknown option '--colour'"],
  [['mirror', '--import', 'x.csv'], '--import goes through the logger'],
])('%j is refused with a hint', async (args, message) => {
  const refused = start(...args)
  expect(await refused.ended).toBe(1)
  expect(refused.output).toMatch(message)
  expect(refused.output).not.toMatch(/^\s+at /m)
})

test('a port that is taken is named, and nothing is started', async () => {
  const server = createServer((socket) => socket.destroy())
  port = await listen(server)
  const refused = start()
  expect(await refused.ended).toBe(1)
  expect(refused.output).toMatch(`Port ${port} on 127.0.0.1 is taken`)
  await new Promise((resolve) => server.close(resolve))
})

test('either part can be killed and started again; nothing is missing and nothing is twice', async () => {
  const both = start()
  const mirror = await processOf('mirror', both)
  await until(async () => (await documentsOnMirror()) >= 20)

  process.kill(mirror, 'SIGKILL')
  await both.match(/The mirror ended \(SIGKILL\)\. Start it again with: npm start -- mirror/)
  const again = start('mirror')
  await until(async () => (await documentsOnMirror()) >= 40)

  process.kill(await processOf('logger', both), 'SIGKILL')
  await both.match(/The logger ended \(SIGKILL\)/)
  const logger = start('logger')
  const before = await documentsOnMirror()
  await until(async () => (await documentsOnMirror()) >= before + 20)

  expect(await logger.stop()).toBe(0)
  const counted = /^([\d,]+) documents? ·.*$/m.exec(
    logger.output.trimEnd().split('\n').slice(-2).join('\n'),
  )?.[1]
  const empty = path.join(data, 'empty.csv')
  await writeFile(empty, 'id\n')
  expect(await start('logger', '--import', empty, '--wait').ended).toBe(0)
  expect(await documentsOnMirror()).toBe(Number(counted?.replaceAll(',', '')))
  expect(await again.stop()).toBe(0)
}, 120_000)

test('Ctrl-C and SIGTERM stop both cleanly', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const both = start()
    const parts = [await processOf('mirror', both), await processOf('logger', both)]
    await both.match(/documents? · /)
    both.kill(signal)
    expect(await both.ended).toBe(0)
    expect(both.output).toMatch('Stopped; both databases are closed.')
    expect(parts.filter(isAlive)).toEqual([])
  }
})

test('when the command itself is killed, its parts stop too', async () => {
  const both = start()
  const parts = [await processOf('mirror', both), await processOf('logger', both)]
  await both.match(/documents? · /)
  both.kill('SIGKILL')
  await until(() => !parts.some(isAlive))
  const again = start()
  await until(async () => (await documentsOnMirror()) > 0)
  expect(await again.stop()).toBe(0)
})

test('a file is imported, reaches the mirror, and the command ends', async () => {
  const file = path.resolve('examples/data-logger/test/fixtures/faulty.csv')
  const imports = start('--import', file)
  expect(await imports.ended).toBe(0)
  expect(imports.output).toMatch('5 rows imported')
  expect(imports.output).toMatch('the mirror has them')
  const second = start('--import', file)
  expect(await second.ended).toBe(0)
  expect(second.output).toMatch('0 new, 0 changed, 5 as before')
})
