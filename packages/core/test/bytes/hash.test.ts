import { expect, test } from 'vitest'
import { crc32, sha256 } from '../../src/bytes/hash.js'
import { toHex } from '../../src/bytes/hex.js'

const ascii = (text: string) => new TextEncoder().encode(text)

test('SHA-256 gives the digests of FIPS 180-4', () => {
  expect(toHex(sha256(ascii('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(toHex(sha256(new Uint8Array(0)))).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
})

test('CRC-32 gives the check value of its catalogue entry, also in parts', () => {
  expect(crc32(ascii('123456789'))).toBe(0xcbf43926)
  expect(crc32(ascii('6789'), crc32(ascii('12345')))).toBe(0xcbf43926)
})
