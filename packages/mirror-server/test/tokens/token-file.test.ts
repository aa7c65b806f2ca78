import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rights } from '../../src/tokens/grant.js'
import {
  decodeToken,
  encodeToken,
  fileNameOf,
  hashOf,
  TokenCorruptError,
} from '../../src/tokens/token-file.js'

const golden = readFileSync(join(import.meta.dirname, '../fixtures/0123456789abcdef.token'), 'utf8')
const file = '0123456789abcdef.token'

test('the golden file is read as what it was, and written the same', () => {
  const token = decodeToken(file, golden)
  expect(token).toEqual({
    id: '0123456789abcdef',
    hash: hashOf(`mynah_0123456789abcdef_${'A'.repeat(43)}`),
    databases: ['site-*'],
    can: ['read', 'sync'],
    prefixes: ['dev42/', 'ä/'],
    createdMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    expiresMs: Date.UTC(2027, 0, 1),
  })
  expect(encodeToken(token)).toBe(golden)
})

test('what is written is read again', () => {
  const times = fc.integer({ min: 0, max: 4e12 })
  const token = fc.record({
    id: fc.stringMatching(/^[0-9a-f]{16}$/),
    hash: fc.stringMatching(/^[0-9a-f]{64}$/),
    databases: fc.array(fc.string()),
    can: fc.subarray([...rights]),
    prefixes: fc.array(fc.string()),
    createdMs: times,
    expiresMs: fc.option(times, { nil: undefined }),
  })
  fc.assert(
    fc.property(token, (one) => {
      expect(decodeToken(fileNameOf(one.id), encodeToken(one))).toEqual(one)
    }),
  )
})

test('a file that is damaged anywhere, cut or another’s opens nothing', () => {
  const bytes = new TextEncoder().encode(golden)
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice()
    flipped[at]! ^= 1
    expect(() => decodeToken(file, new TextDecoder().decode(flipped))).toThrow(TokenCorruptError)
  }
  for (let at = 0; at < golden.length; at++)
    expect(() => decodeToken(file, golden.slice(0, at))).toThrow(TokenCorruptError)
  expect(() => decodeToken(file, `${golden}\n`)).toThrow(TokenCorruptError)
  expect(() => decodeToken('fedcba9876543210.token', golden)).toThrow(TokenCorruptError)
})

test('what its checksum vouches for, and is not known, opens nothing', () => {
  const token = decodeToken(file, golden)
  for (const odd of [
    { ...token, can: ['fly'] },
    { ...token, id: '../etc' },
    { ...token, databases: 'site' },
    { ...token, hash: 'x' },
    { ...token, version: 2 },
    { ...token, format: 'other' },
  ]) {
    const written = encodeToken(odd as unknown as typeof token)
    expect(() => decodeToken(file, written)).toThrow(TokenCorruptError)
  }
})
