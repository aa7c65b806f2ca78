import { createHash } from 'node:crypto'
import { MynahError } from '@mynah/core'
import { crc32 } from '@mynah/core/replica'
import { type Right, rights } from './grant.js'

/**
 * A token as the store keeps it, in a file of its own, never changed: two lines of UTF-8. Full format: docs/formats/token.md.
 *
 *   line  content
 *   1     JSON: { "format": "mynah-token", "version": 1, "id", "hash", "databases", "can", "prefixes", "created", "expires" }
 *   2     CRC-32 of line 1 without its newline, 8 lower-case hex digits
 */
export interface StoredToken {
  /** 16 lower-case hex digits; a part of the token's text, and no secret. */
  readonly id: string
  /** SHA-256 of the token's text, 64 lower-case hex digits. */
  readonly hash: string
  /** Names of databases, in which `*` stands for any text. */
  readonly databases: readonly string[]
  readonly can: readonly Right[]
  /** [] for all ids. */
  readonly prefixes: readonly string[]
  /** Milliseconds since 1970 UTC, as `expiresMs`. */
  readonly createdMs: number
  /** Undefined: never. */
  readonly expiresMs: number | undefined
}

/** A file of the token store is not what was written there; its token opens nothing. */
export class TokenCorruptError extends MynahError {
  override readonly name = 'TokenCorruptError'
  constructor(
    /** The file's name. */
    readonly file: string,
    detail: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_TOKEN_CORRUPT', `The token file ${file} is damaged: ${detail}`, options)
  }
}

const FORMAT = 'mynah-token'
const VERSION = 1

/** The hash under which a token is kept: its secret is random and long, so that no slow hash is needed. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** The file of a token, by its id. */
export function fileNameOf(id: string): string {
  return `${id}.token`
}

/** The id that a file's name has; undefined for a file that is none of the store's. */
export function idOfFile(name: string): string | undefined {
  return /^([0-9a-f]{16})\.token$/.exec(name)?.[1]
}

/** The bytes of a token's file, as text. */
export function encodeToken({ createdMs, expiresMs, ...token }: StoredToken): string {
  const line = JSON.stringify({
    format: FORMAT,
    version: VERSION,
    ...token,
    created: new Date(createdMs).toISOString(),
    ...(expiresMs !== undefined && { expires: new Date(expiresMs).toISOString() }),
  })
  return withChecksum(line)
}

/** @throws TokenCorruptError also for a newer version: what it does not understand must not open anything */
export function decodeToken(file: string, text: string): StoredToken {
  const fail = (detail: string, options?: ErrorOptions): never => {
    throw new TokenCorruptError(file, detail, options)
  }
  const [line = ''] = text.split('\n', 1)
  if (text !== withChecksum(line)) return fail('its checksum is another')
  const { format, version, created, expires, ...token } = JSON.parse(line) as Record<string, unknown>
  if (format !== FORMAT || version !== VERSION)
    return fail(`its format ${String(format)} ${String(version)} is unknown`)
  if (!isToken(token) || fileNameOf(token.id) !== file) return fail('its content is not a token’s')
  const createdMs = Date.parse(String(created))
  const expiresMs = expires === undefined ? undefined : Date.parse(String(expires))
  if (Number.isNaN(createdMs) || Number.isNaN(expiresMs ?? 0)) return fail('its times are none')
  return { ...token, createdMs, expiresMs }
}

function isToken(value: Record<string, unknown>): value is Record<string, unknown> & StoredToken {
  const { id, hash, databases, can, prefixes } = value
  return (
    typeof id === 'string' &&
    typeof hash === 'string' &&
    /^[0-9a-f]{64}$/.test(hash) &&
    isTexts(databases) &&
    isTexts(prefixes) &&
    isTexts(can) &&
    can.every((right) => rights.some((one) => one === right))
  )
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function withChecksum(line: string): string {
  const sum = crc32(new TextEncoder().encode(line)).toString(16).padStart(8, '0')
  return `${line}\n${sum}\n`
}
