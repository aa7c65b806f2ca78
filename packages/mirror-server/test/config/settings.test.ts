import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { settingsFrom, settingsJson } from '../../src/config/settings.js'
import { StartError } from '../../src/config/start-error.js'
import { temporaryFolder } from '../fixture.js'

async function fileOf(content: unknown): Promise<string> {
  const path = join(await temporaryFolder(), 'mynah.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

test('a flag goes before the environment, that before the file, and that before what is usual', async () => {
  const config = await fileOf({ port: 1, host: 'file', data: '/file', create: ['x', 'y'], accessLog: true })
  const env = {
    MYNAH_PORT: '2',
    MYNAH_HOST: 'env',
    MYNAH_MIRROR_OF: 'http://a, http://b',
    MYNAH_LOG_LEVEL: '',
  }
  const settings = settingsFrom({ flags: { config, port: '3' }, env })
  expect(settings).toMatchObject({
    port: 3,
    host: 'env',
    data: '/file',
    create: ['x', 'y'],
    mirrorOf: ['http://a', 'http://b'],
    accessLog: true,
    logLevel: 'info',
    advertise: undefined,
  })
  expect(settingsFrom({ flags: {}, env: { MYNAH_CONFIG: config } })).toMatchObject({ port: 1, host: 'file' })
})

test('what is no setting’s value is told with where it was set', async () => {
  const of = (content: unknown) => fileOf(content).then((config) => ({ flags: { config }, env: {} }))
  for (const [sources, message] of [
    [
      { flags: { port: '70000' }, env: {} },
      '--port wants a number from 0 (any free port) to 65535, not "70000".',
    ],
    [{ flags: {}, env: { MYNAH_PORT: 'x' } }, 'MYNAH_PORT wants a number'],
    [
      { flags: {}, env: { MYNAH_LOG_LEVEL: 'loud' } },
      'MYNAH_LOG_LEVEL wants one of debug, info, warn, error',
    ],
    [{ flags: {}, env: { MYNAH_ACCESS_LOG: 'yes' } }, 'MYNAH_ACCESS_LOG wants true or false'],
    [await of({ create: 'a,b', port: -1 }), '"port" in '],
    [{ flags: { cors: ['app.example'] }, env: {} }, '--cors wants origins as in https://app.example'],
    [{ flags: { cors: ['https://app.example/'] }, env: {} }, '--cors wants origins'],
    [{ flags: {}, env: { MYNAH_TRUST_PROXY: 'banana' } }, 'MYNAH_TRUST_PROXY wants addresses'],
    [{ flags: { trustProxy: ['10.0.0.0/33'] }, env: {} }, '--trust-proxy wants addresses'],
    [await of({ mirrorOf: ['first.example'] }), '"mirrorOf" in '],
    [{ flags: { mirrorOf: ['http://user:very-secret@a'] }, env: {} }, 'with no user and no query.'],
    [{ flags: { advertise: ['ftp://a'] }, env: {} }, '--advertise wants mirrors as in https://'],
    [{ flags: {}, env: { MYNAH_TOKEN: 'two words' } }, 'MYNAH_TOKEN wants printable ASCII without spaces.'],
    [{ flags: {}, env: { MYNAH_MIRROR_TOKEN: 'line\n' } }, 'MYNAH_MIRROR_TOKEN wants printable ASCII'],
    [await of({ create: [''] }), '"create" in '],
    [await of({ prot: 1 }), 'There is no setting "prot"'],
    [await of('{"__proto__":{"port":1}}'), 'There is no setting "__proto__"'],
    [await of([]), 'is to hold one JSON object'],
    [await of('{'), 'cannot be read as settings: it is not JSON'],
    [{ flags: { config: '/nowhere/mynah.json' }, env: {} }, 'ENOENT'],
  ] as const) {
    expect(() => settingsFrom(sources)).toThrow(StartError)
    expect(() => settingsFrom(sources)).toThrow(message)
  }
})

test('secrets are in no message and no print', async () => {
  const secret = 'very-secret'
  const settings = settingsFrom({ flags: {}, env: { MYNAH_TOKEN: secret, MYNAH_MIRROR_TOKEN: secret } })
  expect(settings.token).toBe(secret)
  const shown = JSON.parse(settingsJson(settings)) as Record<string, unknown>
  expect(shown).toMatchObject({ token: '***', mirrorToken: '***', port: 8_800 })
  expect(settingsJson(settings)).not.toContain(secret)
  for (const broken of [{ token: [secret] }, `{"token":"${secret}"`]) {
    const config = await fileOf(broken)
    const thrown = await Promise.resolve()
      .then(() => settingsFrom({ flags: { config }, env: {} }))
      .catch((error: Error) => error.message)
    expect(thrown).toMatch(/token|not JSON/)
    expect(thrown).not.toContain(secret)
  }
})

test('proxies, origins and mirrors are taken as they are written', () => {
  const flags = {
    cors: ['*', 'http://localhost:3000', 'https://app.example'],
    trustProxy: ['loopback', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    mirrorOf: ['https://a', 'http://[::1]:8800/v1/x', 'https://b/base/v1'],
  }
  expect(settingsFrom({ flags, env: {} })).toMatchObject(flags)
})

test('what is printed can be a file of settings', async () => {
  const env = { MYNAH_PORT: '9', MYNAH_CREATE: 'a b' }
  const settings = settingsFrom({ flags: {}, env })
  const config = await fileOf(settingsJson(settings))
  expect(settingsFrom({ flags: { config }, env: {} })).toEqual(settings)
})
