import { crc32 } from '@mynah/core/replica'
import { headers } from './names.js'

/**
 * What the header `mynah-checksum` says: 8 lower-case hex digits, CRC-32 of the headers that mean something
 * (`mynah-position`, `mynah-more`; '' where they are absent), a newline after each, and the body.
 */
export function checksumText(meant: Readonly<Record<string, string>>, body: Uint8Array): string {
  const head = `${meant[headers.position] ?? ''}\n${meant[headers.more] ?? ''}\n`
  return crc32(body, crc32(new TextEncoder().encode(head)))
    .toString(16)
    .padStart(8, '0')
}
