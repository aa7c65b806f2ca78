import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { everything } from '../../src/tokens/grant.js'
import { TokenBook } from '../../src/tokens/token-book.js'
import { TokenStore } from '../../src/tokens/token-store.js'
import { temporaryFolder } from '../fixture.js'
import { ManualEnv } from '../manual-env.js'

const terms = { databases: ['site-*'], can: ['read'], prefixes: [], goodForMs: undefined } as const

async function bookOf(store: TokenStore, given: ConstructorParameters<typeof TokenBook>[0]['given'] = []) {
  const env = new ManualEnv()
  const faults: string[] = []
  const book = new TokenBook({ store, given, env, onFault: ({ message }) => void faults.push(message) })
  /** Lets the book look again, and waits until it has. */
  const look = async () => {
    const looked = new Promise<void>((resolve) => book.onLook(resolve))
    env.advance(2_000)
    await looked
    await env.yield()
  }
  return { env, book, look, faults }
}

test('a token is kept as a hash, in a file for its owner only, and told once', async () => {
  const store = new TokenStore(await temporaryFolder())
  expect(await store.ids()).toBeUndefined()
  const { text, id, hash } = await store.create(terms, 0)
  expect(text).toMatch(/^mynah_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
  const [file, ...others] = await readdir(store.folder)
  expect([file, others]).toEqual([`${id}.token`, []])
  const path = join(store.folder, file!)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(store.folder)).mode & 0o777).toBe(0o700)
  const content = await readFile(path, 'utf8')
  expect(content).toContain(hash)
  expect(content).not.toContain(text.split('_')[2])
  expect(await store.list()).toMatchObject({ tokens: [{ id }], damaged: [] })
})

test('many are made and revoked at the same time, and none is lost', async () => {
  const store = new TokenStore(await temporaryFolder())
  const made = await Promise.all(Array.from({ length: 20 }, (_, n) => store.create(terms, n)))
  const [gone, kept] = [made.slice(0, 10), made.slice(10)]
  expect(await Promise.all(gone.map(({ id }) => store.revoke(id)))).toEqual(gone.map(() => true))
  expect(await store.revoke(gone[0]!.id)).toBe(false)
  expect(await store.revoke('../../etc/passwd')).toBe(false)
  const { tokens } = await store.list()
  expect(tokens.map(({ id }) => id)).toEqual(kept.map(({ id }) => id))
})

test('a book notices what is made, what is revoked and what has run out', async () => {
  const store = new TokenStore(await temporaryFolder())
  const { env, book, look } = await bookOf(store)
  await book.start()
  expect(book.guarded).toBe(false)
  expect(book.isGood(everything)).toBe(true)
  const lasting = await store.create(terms, env.now())
  const short = await store.create({ ...terms, goodForMs: 3_000 }, env.now())
  await look()
  expect(book.guarded).toBe(true)
  expect(book.isGood(everything)).toBe(false)
  const grant = book.grantOf(short.text)!
  expect(grant).toMatchObject({ id: short.id, can: ['read'], databases: ['site-*'] })
  expect(book.grantOf(lasting.text)).toBeDefined()
  await look()
  expect(book.grantOf(short.text)).toBeUndefined()
  expect(book.isGood(grant)).toBe(false)
  await store.revoke(lasting.id)
  await look()
  expect(book.grantOf(lasting.text)).toBeUndefined()
  // Nobody is let in again because nothing is left.
  await rm(store.folder, { recursive: true })
  await look()
  expect(book.guarded).toBe(true)
  await book.stop()
})

test('only the very text opens', async () => {
  const store = new TokenStore(await temporaryFolder())
  const { text, id } = await store.create(terms, 0)
  const other = await store.create(terms, 0)
  const { book } = await bookOf(store, [
    { token: 'given' },
    { token: 'part', can: ['sync'], prefixes: ['a/'] },
  ])
  await book.start()
  expect(book.grantOf(text)?.id).toBe(id)
  expect(book.grantOf('given')).toMatchObject({ can: ['read', 'write', 'sync', 'admin'], databases: ['*'] })
  expect(book.grantOf('part')).toMatchObject({ can: ['sync'], ids: { prefixes: ['a/'] } })
  const last = text.at(-1) === 'A' ? 'B' : 'A'
  for (const wrong of [
    `${text}A`,
    text.slice(0, -1),
    text.slice(0, -1) + last,
    text.replace(id, other.id),
    `mynah_${id}_`,
    `mynah_${'0'.repeat(16)}_${text.slice(23)}`,
    '',
    'Given',
  ])
    expect([wrong, book.grantOf(wrong)]).toEqual([wrong, undefined])
  await book.stop()
})

test('a damaged file is told once, opens nothing, and can be revoked; the others open', async () => {
  const store = new TokenStore(await temporaryFolder())
  const bad = await store.create(terms, 0)
  const good = await store.create(terms, 1)
  const path = join(store.folder, `${bad.id}.token`)
  await writeFile(path, (await readFile(path, 'utf8')).replace('read', 'sync'))
  const { book, look, faults } = await bookOf(store)
  await book.start()
  await look()
  expect(faults).toHaveLength(1)
  expect(faults[0]).toContain(bad.id)
  expect(book.grantOf(bad.text)).toBeUndefined()
  expect(book.grantOf(good.text)).toBeDefined()
  expect(await store.list()).toMatchObject({
    tokens: [{ id: good.id }],
    damaged: [{ file: `${bad.id}.token` }],
  })
  expect(await store.revoke(bad.id)).toBe(true)
  await book.stop()
})

test('a store that cannot be read keeps no token good for long, and none beyond its time', async () => {
  const store = new TokenStore(await temporaryFolder())
  const lasting = await store.create(terms, 0)
  const short = await store.create({ ...terms, goodForMs: 5_000 }, 0)
  const { book, look, faults } = await bookOf(store)
  await book.start()
  const grants = [lasting, short].map(({ text }) => book.grantOf(text)!)
  const good: boolean[][] = []
  book.onLook(() => void good.push(grants.map((grant) => book.isGood(grant))))
  await rename(store.folder, `${store.folder}-away`)
  await writeFile(store.folder, 'no folder')
  for (let looks = 0; looks < 12; looks++) await look()
  // What is open is looked at all the while: at 2 s, 6 s, and 22 s.
  expect([good[0], good[2], good[10]]).toEqual([
    [true, true],
    [true, false],
    [false, false],
  ])
  expect(book.grantOf(lasting.text)).toBeUndefined()
  expect(book.guarded).toBe(true)
  expect(faults).toHaveLength(1)
  await rm(store.folder)
  await rename(`${store.folder}-away`, store.folder)
  await look()
  expect(book.grantOf(lasting.text)).toMatchObject({ id: lasting.id })
  await book.stop()
})

test.runIf(process.getuid?.() === 0)(
  'root gives away what it made, and not what a link leads to',
  async () => {
    const [store, elsewhere] = [new TokenStore(await temporaryFolder()), await temporaryFolder()]
    await chown(store.data, 1_234, 1_234)
    await symlink(elsewhere, store.folder)
    await store.create(terms, 0)
    expect((await stat(elsewhere)).uid).toBe(0)
    await rm(store.folder)
    await mkdir(store.folder)
    const { id } = await store.create(terms, 0)
    for (const path of [store.folder, join(store.folder, `${id}.token`)])
      expect((await stat(path)).uid).toBe(1_234)
  },
)

test('what is half written, or not the store’s, is no token', async () => {
  const store = new TokenStore(await temporaryFolder())
  const { id } = await store.create(terms, 0)
  await writeFile(join(store.folder, '.0123456789abcdef.new'), 'half')
  await writeFile(join(store.folder, 'README'), 'x')
  await chmod(store.folder, 0o755)
  expect(await store.ids()).toEqual([id])
})

test('a given token that is none is a mistake of the program', async () => {
  const store = new TokenStore(await temporaryFolder())
  for (const token of ['', 'with space', 'ümlaut', 'line\n'])
    await expect(bookOf(store, [{ token }])).rejects.toThrow(TypeError)
})
