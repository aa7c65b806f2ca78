import { randomBytes } from 'node:crypto'
import { lchown, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Right } from './grant.js'
import {
  decodeToken,
  encodeToken,
  fileNameOf,
  hashOf,
  idOfFile,
  type StoredToken,
  TokenCorruptError,
} from './token-file.js'

/** Below the folder of the databases; no database can have this name. */
const FOLDER = '_tokens'

/** What the store has: its tokens, and what is wrong with those that cannot be read. */
export interface TokenList {
  readonly tokens: readonly StoredToken[]
  readonly damaged: readonly TokenCorruptError[]
}

/** What a new token is for. */
export type TokenTerms = Pick<StoredToken, 'databases' | 'can' | 'prefixes'> & {
  /** How long it is good, milliseconds; undefined: for ever. */
  readonly goodForMs: number | undefined
}

/**
 * Tokens as files of their own in a folder, each written once and never changed: so that commands and daemons need no
 * lock among themselves, and damage to one is no matter to the others. A token is revoked when its file is gone.
 */
export class TokenStore {
  readonly folder: string

  constructor(
    /** The folder of the databases. */
    readonly data: string,
  ) {
    this.folder = join(data, FOLDER)
  }

  /** Makes a token; durable when resolved. Its text is in no file, and told only here. */
  async create({ goodForMs, ...terms }: TokenTerms, nowMs: number): Promise<StoredToken & { text: string }> {
    const id = randomBytes(8).toString('hex')
    const text = `mynah_${id}_${randomBytes(32).toString('base64url')}`
    const expiresMs = goodForMs === undefined ? undefined : nowMs + goodForMs
    const token: StoredToken = { id, hash: hashOf(text), ...sorted(terms), createdMs: nowMs, expiresMs }
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    const owner = await this.#owner()
    // Whoever has the folder may have put a link here: what that leads to stays whose it is.
    if (owner !== undefined) await lchown(this.folder, owner.uid, owner.gid)
    const temporary = join(this.folder, `.${id}.new`)
    const file = await open(temporary, 'wx', 0o600)
    try {
      if (owner !== undefined) await file.chown(owner.uid, owner.gid)
      await file.writeFile(encodeToken(token))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(this.folder, fileNameOf(id)))
    await syncFolder(this.folder)
    await syncFolder(this.data)
    return { ...token, text }
  }

  /** Ends a token, also one that cannot be read; durable when resolved. Whether there was one. */
  async revoke(id: string): Promise<boolean> {
    if (idOfFile(fileNameOf(id)) === undefined) return false
    try {
      await unlink(join(this.folder, fileNameOf(id)))
    } catch (error) {
      if (isAbsent(error)) return false
      throw error
    }
    await syncFolder(this.folder)
    return true
  }

  /** Ids of all tokens, in order; undefined where there never was one. */
  async ids(): Promise<readonly string[] | undefined> {
    try {
      const names = await readdir(this.folder)
      return names.flatMap((name) => idOfFile(name) ?? []).sort()
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** @throws TokenCorruptError where it is damaged or cannot be read; undefined where there is none (any more) */
  async read(id: string): Promise<StoredToken | undefined> {
    const name = fileNameOf(id)
    try {
      return decodeToken(name, await readFile(join(this.folder, name), 'utf8'))
    } catch (error) {
      if (error instanceof TokenCorruptError) throw error
      if (isAbsent(error)) return undefined
      throw new TokenCorruptError(name, (error as Error).message, { cause: error })
    }
  }

  /** The oldest first. */
  async list(): Promise<TokenList> {
    const tokens: StoredToken[] = []
    const damaged: TokenCorruptError[] = []
    for (const id of (await this.ids()) ?? []) {
      try {
        const token = await this.read(id)
        if (token !== undefined) tokens.push(token)
      } catch (error) {
        if (!(error instanceof TokenCorruptError)) throw error
        damaged.push(error)
      }
    }
    return { tokens: tokens.toSorted((a, b) => a.createdMs - b.createdMs), damaged }
  }

  /** What root makes belongs to whom the databases belong to, else a daemon of that user could not read it. */
  async #owner(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
    return process.getuid?.() === 0 ? await stat(this.data) : undefined
  }
}

function sorted({ databases, can, prefixes }: Omit<TokenTerms, 'goodForMs'>): Omit<TokenTerms, 'goodForMs'> {
  const unique = (texts: readonly string[]) => [...new Set(texts)].sort()
  return { databases: unique(databases), can: unique(can) as Right[], prefixes: unique(prefixes) }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}
