import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { open } from '@mynah/core'
import { expect, onTestFinished, test } from 'vitest'
import { isLoopback } from '../src/access/own-machine.js'
import { readableLine } from '../src/commands/logger.js'
import { requireGuard } from '../src/commands/run-mirror.js'
import { TokenStore } from '../src/tokens/token-store.js'
import { version } from '../src/version.js'
import { finish, ready, run } from './child.js'
import { push, startPeer, temporaryFolder } from './fixture.js'
import { RawConnection } from './raw-http.js'

test('serves, says so in one line, keeps what it acknowledged through kill -9, and stops on a signal', async () => {
  const data = await temporaryFolder()
  const first = run(['serve', '--data', data, '--port', '0', '--create', 'sensors', 'games'])
  const begun = await ready(first)
  expect(begun.message).toContain(`data in ${data}: games (0 documents), sensors (0 documents)`)
  const { replica } = await startPeer(Array.from({ length: 1_234 }, (_, n) => ({ id: `d${n}` })))
  await push(`${begun.origin}/v1/sensors`, replica)
  first.kill('SIGKILL')
  await once(first, 'close')

  const second = run(['serve', '--data', data, '--port', '0'])
  const again = await ready(second)
  expect(again.message).toContain('games (0 documents), sensors (1,234 documents)')
  second.kill('SIGTERM')
  const [code] = await once(second, 'close')
  expect(code).toBe(0)
})

test('a second signal ends it at once', async () => {
  const data = await temporaryFolder()
  const child = run(['serve', '--data', data, '--port', '0', '--create', 'a'])
  const { origin } = await ready(child)
  const connection = new RawConnection(origin)
  connection.send(
    'POST /v1/a/records HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.mynah.shard\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n',
  )
  await connection.until(/100 Continue/)
  child.kill('SIGINT')
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
})

test('a port that is taken is named', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const { code, said } = await finish(
    run(['serve', '--data', await temporaryFolder(), '--port', String(port)]),
  )
  expect([code, said]).toEqual([
    1,
    `mynah: Port ${port} on 127.0.0.1 is taken by another program. Choose another --port.\n`,
  ])
})

test('a folder that another process has open is named', async () => {
  const data = await temporaryFolder()
  const database = await open(`${data}/a`)
  onTestFinished(() => database.close())
  const { code, said } = await finish(run(['serve', '--data', data, '--port', '0']))
  expect(code).toBe(1)
  expect(said).toMatch(new RegExp(`^mynah: ${data} is in use: another process has the database a open`))
})

test('it does not listen to others without a token, or with one that could be guessed', async () => {
  const data = await temporaryFolder()
  const refused = await finish(run(['serve', '--data', data, '--port', '0', '--host', '0.0.0.0']))
  expect(refused.code).toBe(1)
  expect(refused.said).toContain('Set MYNAH_TOKEN')
  const short = { MYNAH_TOKEN: 'fifteen-letters' }
  const weak = await finish(run(['serve', '--data', data, '--port', '0', '--host', '0.0.0.0'], short))
  expect([weak.code, weak.said]).toEqual([1, expect.stringMatching(/has 15 characters: too few/)])

  const everywhere = { host: '0.0.0.0', token: undefined }
  await requireGuard(data, { ...everywhere, token: 'sixteen-letters-' })
  const store = new TokenStore(data)
  const { id } = await store.create(
    { databases: ['*'], can: ['read'], prefixes: [], goodForMs: undefined },
    0,
  )
  await requireGuard(data, everywhere)
  await store.revoke(id)
  await expect(requireGuard(data, everywhere)).rejects.toThrow(/Set MYNAH_TOKEN/)
})

test('the secret of the environment opens it', async () => {
  const args = ['serve', '--data', await temporaryFolder(), '--port', '0', '--create', 'a']
  const { origin } = await ready(run(args, { MYNAH_TOKEN: 's' }))
  expect((await fetch(`${origin}/v1/a`)).status).toBe(401)
  const headers = { authorization: 'Bearer s' }
  expect((await fetch(`${origin}/v1/a`, { headers })).status).toBe(200)
})

test('mistakes on the command line are explained', async () => {
  const data = await temporaryFolder()
  for (const [args, pattern] of [
    [['serve'], /^mynah: Say where the databases are to be: --data/],
    [['serve', '--data', data, '--port', '70000'], /from 0 \(any free port\) to 65535/],
    [['serve', '--data', fileURLToPath(import.meta.url)], /^mynah: .*cli\.test\.ts cannot be the folder/],
    [['serve', '--data', data, '--create', 'Sensors'], /^mynah: The database "Sensors" could not be made/],
    [['serve', '--data', data, '--port', '0', '--host', '203.0.113.9'], /Set MYNAH_TOKEN/],
  ] as const) {
    const { code, said } = await finish(run(args))
    expect(code).toBe(1)
    expect(said).toMatch(pattern)
  }
})

test('it tells its version and its options', async () => {
  expect(await finish(run(['--version']))).toEqual({ code: 0, said: `${version}\n` })
  const { code, said } = await finish(run(['serve', '--help']))
  expect(code).toBe(0)
  for (const word of ['--data', '--port', '--host', '--create', 'MYNAH_TOKEN', '8800'])
    expect(said).toContain(word)
})

test('addresses of this machine alone are known as such', () => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
    expect([host, isLoopback(host)]).toEqual([host, true])
  for (const host of ['0.0.0.0', '::', '192.168.1.1', '127.evil.example', '', '10.0.0.127.1']) {
    expect([host, isLoopback(host)]).toEqual([host, false])
  }
})

test('a log line for people has the time, the message, the rest, and the stack', () => {
  const line = readableLine(
    JSON.stringify({ level: 50, time: 0, msg: 'failed', route: '/v1', err: { stack: 'Error: x' } }),
  )
  expect(line).toMatch(/^\d\d:\d\d:\d\d error: failed route="\/v1"\nError: x\n$/)
})
