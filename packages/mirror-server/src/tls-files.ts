import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type Server } from 'node:tls'
import type { Env, Timer } from '@mynah/core'

/** The files of a server's certificate, with what belongs to its chain, and of its key: PEM. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

interface TlsContent {
  readonly cert: string
  readonly key: string
}

/** How often it is looked whether the files are others, milliseconds. */
const LOOK_MS = 5_000

/**
 * What TLS is done with, from files that others renew. A pair that does not fit together is not taken: one of two files
 * may have been written, and the other not yet. Connections that are open stay as they are.
 */
export class TlsKeeper {
  readonly #files: TlsFiles
  readonly #env: Pick<Env, 'setTimer'>
  readonly #onFault: (error: Error) => void
  #content: TlsContent
  #refused: TlsContent | undefined
  #timer: Timer | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  /** @throws TypeError for files that cannot be read, or are no certificate and its key */
  constructor(files: TlsFiles, env: Pick<Env, 'setTimer'>, onFault: (error: Error) => void) {
    this.#files = files
    this.#env = env
    this.#onFault = onFault
    try {
      this.#content = { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
      createSecureContext(this.#content)
    } catch (error) {
      throw new TypeError(`TLS by ${files.cert} and ${files.key}: ${(error as Error).message}`)
    }
  }

  get content(): TlsContent {
    return this.#content
  }

  /** Looks at the files from now on, and gives the server what is new. */
  watch(server: Pick<Server, 'setSecureContext'>): void {
    if (this.#stopped) return
    this.#timer = this.#env.setTimer(() => {
      this.#looking = this.#look(server).then(() => this.watch(server))
    }, LOOK_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#looking
  }

  async #look(server: Pick<Server, 'setSecureContext'>): Promise<void> {
    try {
      const [cert, key] = await Promise.all([
        readFile(this.#files.cert, 'utf8'),
        readFile(this.#files.key, 'utf8'),
      ])
      const found = { cert, key }
      if (isSame(found, this.#content) || isSame(found, this.#refused)) return
      this.#refused = found
      createSecureContext(found)
      server.setSecureContext(found)
      this.#content = found
      this.#refused = undefined
    } catch (error) {
      this.#onFault(error as Error)
    }
  }
}

function isSame(a: TlsContent, b: TlsContent | undefined): boolean {
  return a.cert === b?.cert && a.key === b.key
}
