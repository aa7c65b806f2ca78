import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { finish, ready, run } from './child.js'
import { temporaryFolder } from './fixture.js'

const token = (data: string, ...args: string[]) => finish(run(['token', ...args, '--data', data]))

test('a token is made, listed and revoked beside a running mirror, which notices', async () => {
  const data = await temporaryFolder()
  const serving = run(['serve', '--data', data, '--port', '0', '--create', 'site-1', 'other'])
  const { origin } = await ready(serving)
  const status = async (path: string, secret?: string) => {
    const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` }
    return (await fetch(`${origin}/v1${path}`, { headers })).status
  }
  expect(await status('/site-1')).toBe(200)

  const made = run([
    'token',
    'create',
    '--data',
    data,
    '--db',
    'site-*',
    '--can',
    'read,sync',
    '--expires',
    '90d',
  ])
  let secret = ''
  made.stdout.on('data', (chunk: Buffer) => (secret += chunk))
  const { code, said } = await finish(made)
  expect(code).toBe(0)
  expect(said).toMatch(/read,sync {2}site-\* {2}made .* until .* UTC\nIt is shown only now:\n/)
  secret = secret.trim()
  expect(secret).toMatch(/^mynah_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
  await expect.poll(() => status('/site-1'), { timeout: 10_000 }).toBe(401)
  expect(await status('/site-1', secret)).toBe(200)
  expect(await status('/other', secret)).toBe(403)

  const listed = await token(data, 'list')
  expect(listed.said).toContain(secret.split('_')[1])
  expect(listed.said).not.toContain(secret.split('_')[2])
  expect(await token(data, 'revoke', secret)).toMatchObject({
    code: 0,
    said: `Revoked ${secret.split('_')[1]}.\n`,
  })
  await expect.poll(() => status('/site-1', secret), { timeout: 10_000 }).toBe(401)
  expect((await token(data, 'revoke', secret)).said).toContain('There is no token')
}, 120_000)

test('mistakes are explained, and change nothing', async () => {
  const data = await temporaryFolder()
  const create = (...args: string[]) => token(data, 'create', ...args)
  const mistakes = [
    [create('--can', 'read'), /--db/],
    [create('--db', 'a', '--can', 'fly'), /fly is none of read, write, sync, admin/],
    [create('--db', 'A!', '--can', 'read'), /"A!" can be no database's name/],
    [create('--db', 'a', '--can', 'admin', '--prefix', 'x'), /admin is about whole databases/],
    [create('--db', 'a', '--can', 'read', '--prefix', ''), /No id begins with ""/],
    [create('--db', 'a', '--can', 'read', '--expires', 'soon'), /90d/],
    [token(data, 'revoke', '../../x'), /An id is 16 digits/],
    [token(import.meta.filename, 'list'), /cannot be reached/],
  ] as const
  for (const [answered, pattern] of mistakes) {
    const { code, said } = await answered
    expect([code, said]).toEqual([1, expect.stringMatching(pattern)])
  }
  expect((await token(data, 'list')).said).toContain('There are no tokens')
}, 120_000)

test('settings are printed without secrets, and nothing is begun', async () => {
  const config = join(await temporaryFolder(), 'mynah.json')
  await writeFile(config, JSON.stringify({ data: '/var/lib/mynah', port: 1, token: 'very-secret' }))
  const child = run(['serve', '--config', config, '--print-config', '--port', '2'])
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk))
  expect((await finish(child)).code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ data: '/var/lib/mynah', port: 2, token: '***' })
  expect(out).not.toContain('very-secret')
})
