import { copyFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createMirror } from '../src/index.js'
import { startMirror, temporaryFolder } from './fixture.js'
import { ManualEnv } from './manual-env.js'

const pair = (name: string, kind: 'crt' | 'key') =>
  join(import.meta.dirname, 'fixtures/tls', `${name}.${kind}`)

/** Files of a certificate and its key that can be replaced by another pair's. */
async function files() {
  const folder = await temporaryFolder()
  const tls = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
  const take = async (name: string) => {
    await copyFile(pair(name, 'crt'), tls.cert)
    await copyFile(pair(name, 'key'), tls.key)
  }
  await take('one')
  return { tls, take }
}

/** Whose certificate a new connection meets. */
async function nameAt(origin: string): Promise<string> {
  const socket = await connected(origin)
  const { CN } = socket.getPeerCertificate().subject
  socket.destroy()
  return String(CN)
}

function connected(origin: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(origin)
    const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false }, () =>
      resolve(socket),
    )
    socket.on('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}

test('a renewed certificate is taken while connections stay', async () => {
  const { tls, take } = await files()
  const env = new ManualEnv()
  const { origin } = await startMirror([], { tls, env })
  expect(origin).toMatch(/^https:/)
  expect(await nameAt(origin)).toBe('one')
  const kept = await connected(origin)
  const answered = () =>
    new Promise<string>((resolve) => kept.once('data', (chunk) => resolve(String(chunk))))
  await take('two')
  env.advance(5_000)
  await expect.poll(() => nameAt(origin)).toBe('two')
  const answer = answered()
  kept.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(await answer).toMatch(/^HTTP\/1.1 200 OK\r\n(.+\r\n)*strict-transport-security: max-age=31536000/i)
})

test('a certificate without its key is not taken until the key is there, and told', async () => {
  const { tls, take } = await files()
  const env = new ManualEnv()
  const faults: string[] = []
  const logger = { level: 'error', error: ({ err }: { err: Error }) => void faults.push(err.message) }
  const quiet = { ...logger, info() {}, warn() {}, debug() {}, trace() {}, fatal() {}, silent() {} }
  const server = await createMirror({
    data: await temporaryFolder(),
    tls,
    env,
    logger: { ...quiet, child: () => quiet } as never,
  })
  onTestFinished(() => server.close())
  const origin = await server.listen({ port: 0, host: '127.0.0.1' })
  await copyFile(pair('two', 'crt'), tls.cert)
  env.advance(5_000)
  await expect.poll(() => faults).toEqual([expect.stringMatching(/mismatch/)])
  expect(await nameAt(origin)).toBe('one')
  await take('two')
  await expect
    .poll(async () => {
      env.advance(5_000)
      return await nameAt(origin)
    })
    .toBe('two')
  expect(faults).toHaveLength(1)
})

test('files that are no certificate keep it from starting', async () => {
  const { tls } = await files()
  const data = await temporaryFolder()
  await expect(createMirror({ data, tls: { ...tls, key: `${tls.key}.none` } })).rejects.toThrow(/ENOENT/)
  await writeFile(tls.cert, 'x')
  await expect(createMirror({ data, tls })).rejects.toThrow(TypeError)
})

test('an old version of TLS is refused', async () => {
  const { tls } = await files()
  const { origin } = await startMirror([], { tls })
  const asked = new Promise((resolve, reject) => {
    request(
      `${origin}/health`,
      { rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
      resolve,
    )
      .on('error', reject)
      .end()
  })
  await expect(asked).rejects.toThrow()
})
