import type { Env, Timer } from '@mynah/core'
import {
  httpTransport,
  type MirrorStatus,
  type Replication,
  replicate,
  type Transport,
} from '@mynah/replication'
import { isDatabaseName, mediaTypes, routes, wireLimits } from '@mynah/replication/protocol'
import type { Databases } from './databases.js'

/** A mirror that this one follows. */
export interface FollowedMirror {
  /** Its base, as in `http://host:8800`, for all databases that the token may see; with `/v1/name` for one. */
  readonly url: string
  readonly token?: string
}

/** Whom a mirror follows, and with which databases. */
export interface FollowerOptions {
  readonly mirrors: readonly FollowedMirror[]
  readonly databases: Databases
  /** As many as are here are followed; others are made only up to so many, whatever a mirror names. */
  readonly databasesMax: number
  readonly env: Env
  /** Hears why a mirror's databases are not known, or one cannot be followed; the same only once. */
  readonly onError: (url: string, error: Error) => void
}

interface Source {
  /** `http://host:8800/v1`. */
  readonly root: string
  readonly token: string | undefined
  /** The one database that is followed; undefined for all. */
  readonly name: string | undefined
}

/** What is told of databases that are not followed, for there are too many. */
const TOO_MANY = 'this mirror'

/** How often new databases are looked for; with jitter, so that many mirrors spread. */
const LOOK_MS = 30_000
const LOOK_MS_FIRST = 1_000

/**
 * Makes this mirror one of others: makes each of their databases here, and replicates all that both have, each way.
 * What the other mirror does not answer is asked again; nothing else waits for it.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #sources: readonly Source[]
  readonly #transport: Transport = httpTransport()
  readonly #replications = new Map<string, Promise<Replication>>()
  readonly #told = new Map<string, string>()
  readonly #stopped = new AbortController()
  #looking: Promise<void> | undefined
  #timer: Timer | undefined
  #pauseMs = LOOK_MS_FIRST
  #paused = false

  /** @throws TypeError for what is no mirror's address */
  constructor(options: FollowerOptions) {
    this.#options = options
    this.#sources = options.mirrors.map(sourceOf)
  }

  start(): void {
    // Its replication ended with it: where another mirror has it still, it is made and followed anew.
    this.#options.databases.onDropped((name) => this.#replications.delete(name))
    this.#look()
  }

  /** How it stands with each mirror of each database that is followed, by the database's name. */
  async statuses(): Promise<ReadonlyMap<string, readonly MirrorStatus[]>> {
    const statuses = new Map<string, readonly MirrorStatus[]>()
    const begun = await Promise.allSettled(
      [...this.#replications].map(async ([name, one]) => [name, (await one).mirrors()] as const),
    )
    for (const one of begun) if (one.status === 'fulfilled') statuses.set(...one.value)
    return statuses
  }

  /** Lets what is replicated rest, or go on. */
  pause(paused: boolean): void {
    this.#paused = paused
    // Those that are being begun look for themselves.
    for (const begun of this.#replications.values())
      begun.then(
        (one) => this.#rest(one),
        () => undefined,
      )
  }

  #rest(replication: Replication): void {
    if (this.#stopped.signal.aborted) return
    if (this.#paused) replication.pause()
    else replication.resume()
  }

  /** Resolves when nothing is asked any more; the replications end with their databases. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#timer?.cancel()
    await this.#looking
    await this.#transport.close()
  }

  #look(): void {
    const { env } = this.#options
    const looked = this.#lookAtAll().catch((error: unknown) => {
      // What the disk does not tell now, it may later.
      this.#tell('this mirror', error)
      return false
    })
    this.#looking = looked.then((all) => {
      if (this.#stopped.signal.aborted) return
      this.#pauseMs = all ? LOOK_MS : Math.min(2 * this.#pauseMs, LOOK_MS)
      const jitter = 0.5 + env.randomBytes(1)[0]! / 256
      this.#timer = env.setTimer(() => this.#look(), this.#pauseMs * jitter)
    })
  }

  /** Whether each mirror said what it has. */
  async #lookAtAll(): Promise<boolean> {
    const found = await Promise.all(this.#sources.map((source) => this.#namesAt(source)))
    const here = await this.#options.databases.names()
    const names = new Set(this.#sources.flatMap(({ name }) => name ?? []))
    if (this.#sources.some(({ name }) => name === undefined)) for (const name of here) names.add(name)
    this.#addNew(names, found)
    for (const name of names) await this.#follow(name)
    return !found.includes(undefined)
  }

  /** Adds what mirrors name that is not here yet, as much as there is room for; the first by their names, so that it stays. */
  #addNew(names: Set<string>, found: readonly (readonly string[] | undefined)[]): void {
    const { databasesMax } = this.#options
    const others = [...new Set(found.flatMap((some) => some ?? []))].filter((name) => !names.has(name)).sort()
    const room = Math.max(0, databasesMax - names.size)
    for (const name of others.slice(0, room)) names.add(name)
    if (others.length <= room) this.#told.delete(TOO_MANY)
    else
      this.#tell(
        TOO_MANY,
        new Error(
          `mirrors name ${others.length - room} databases more than the ${databasesMax} that are followed: those are not made here`,
        ),
      )
  }

  async #namesAt({ root, token, name }: Source): Promise<readonly string[] | undefined> {
    if (name !== undefined) return [name]
    try {
      const answer = await this.#transport.request({
        method: 'GET',
        url: root,
        headers: {
          accept: mediaTypes.json,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        answerBytesMax: wireLimits.messageBytes,
        signal: this.#stopped.signal,
      })
      const names = answer.status === 200 ? databasesOf(answer.body) : undefined
      if (answer.status === 401 && token === undefined)
        throw new Error('it wants a token, and none was given for it (MYNAH_MIRROR_TOKEN)')
      if (names === undefined) throw new Error(`it answered ${answer.status}, and not as a mirror`)
      this.#told.delete(root)
      return names
    } catch (error) {
      this.#tell(root, error)
      return undefined
    }
  }

  async #follow(name: string): Promise<void> {
    if (this.#replications.has(name) || this.#stopped.signal.aborted) return
    const begun = this.#replicate(name)
    this.#replications.set(name, begun)
    try {
      await begun
    } catch (error) {
      this.#replications.delete(name)
      this.#tell(name, error)
    }
  }

  async #replicate(name: string): Promise<Replication> {
    const { databases, env } = this.#options
    const { opened } = await databases.create(name)
    const mirrors = this.#sources
      .filter((source) => source.name === undefined || source.name === name)
      .map(({ root, token }) => ({ url: `${root}/${name}`, ...(token !== undefined && { token }) }))
    const replication = await replicate(opened.database, { mirrors, env })
    try {
      // What the operator named before, and does not name any more.
      for (const { url } of replication.mirrors())
        if (!mirrors.some((mirror) => mirror.url === url)) await replication.removeMirror(url)
    } catch (error) {
      // It is begun anew with the next look.
      await replication.close()
      throw error
    }
    if (this.#paused) replication.pause()
    replication.on('error', ({ mirror, error }) => this.#tell(mirror, error))
    return replication
  }

  #tell(about: string, error: unknown): void {
    if (this.#stopped.signal.aborted) return
    const fault = error instanceof Error ? error : new Error(String(error))
    if (this.#told.get(about) === fault.message) return
    this.#told.set(about, fault.message)
    this.#options.onError(about, fault)
  }
}

/** @throws TypeError for what is no mirror's address */
export function sourceOf({ url, token }: FollowedMirror): Source {
  // Neither message tells what may be secret.
  const form = 'A mirror is told as http://host:port, or http://host:port/v1/name, with no user and no query'
  if (!URL.canParse(url)) throw new TypeError(form)
  const parsed = new URL(url)
  const path = parsed.pathname.replace(/\/+$/, '')
  const [, base, name] = /^(.*?)(?:\/v1(?:\/([^/]+))?)?$/.exec(path) ?? []
  const isOdd = parsed.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== ''
  if (!/^https?:$/.test(parsed.protocol) || isOdd || (name !== undefined && !isDatabaseName(name)))
    throw new TypeError(`${form}: not ${parsed.protocol}//${parsed.host}${path}`)
  return { root: `${parsed.origin}${base}${routes.root}`, token, name }
}

/** The names in the answer of a mirror's root; undefined where it is none. */
function databasesOf(body: Uint8Array): readonly string[] | undefined {
  try {
    const { name, databases } = JSON.parse(new TextDecoder().decode(body)) as {
      readonly [member: string]: unknown
    }
    if (name !== 'mynah' || !Array.isArray(databases)) return undefined
    return databases.filter((one): one is string => typeof one === 'string' && isDatabaseName(one))
  } catch {
    return undefined
  }
}
