import { Child } from './child.js'
import { idOf } from './content.js'
import type { FleetLedger } from './fleet-ledger.js'
import type { PeerMessage, PeerQuestion, PeerTask } from './fleet-peer.js'
import type { Random } from './random.js'

const ANSWER_MS = 60_000

export interface PeerPlace {
  readonly name: string
  readonly location: string
  readonly mirror: string
  readonly hold: 'used' | 'all'
  readonly shared: readonly string[]
  /** Its writes are numbered from here. */
  readonly firstN: number
  readonly documents: number
}

type Asked = PeerQuestion extends infer Q
  ? Q extends { readonly ask: number }
    ? Omit<Q, 'ask'>
    : never
  : never

/** One peer of a fleet, across the processes that it lives in. */
export class PeerProcess {
  readonly place: PeerPlace
  readonly #ledger: FleetLedger
  readonly #random: Random
  readonly #fault: (fault: string) => void
  readonly #answers = new Map<number, (value: unknown) => void>()
  #child: Child<PeerMessage> | undefined
  #n: number
  #document = 0
  #asked = 0
  #acknowledge: (writes: readonly (readonly [id: string, n: number, rev: string])[]) => void = () => undefined

  constructor(place: PeerPlace, ledger: FleetLedger, random: Random, fault: (fault: string) => void) {
    this.place = place
    this.#ledger = ledger
    this.#random = random
    this.#fault = fault
    this.#n = place.firstN
  }

  /** Resolves when the database is open and writes are being made. */
  async start(): Promise<void> {
    const { location, mirror, hold, shared, name, documents } = this.place
    const prefix = `${name}/`
    while (this.#ledger.has(prefix + idOf(this.#document))) this.#document += 1
    const task: PeerTask = {
      location,
      mirror,
      hold,
      prefix,
      shared,
      contentSeed: this.#ledger.seed,
      seed: this.#random.seed(),
      firstN: this.#n,
      firstDocument: this.#document,
      documents,
    }
    const child = new Child<PeerMessage>('fleet-peer', [JSON.stringify(task)])
    this.#child = child
    const opened = new Promise<void>((resolve) => {
      child.onMessage = (message) => {
        if (message.kind === 'open') resolve()
        else this.#learn(message)
      }
    })
    const over = child.ended.then(({ code }) => {
      throw new Error(`${name} does not start (${code}): ${child.errors}`)
    })
    await Promise.race([opened, over])
    over.catch(() => undefined)
  }

  /** Undefined when it died before it answered. */
  async ask<T>(question: Asked): Promise<T | undefined> {
    const child = this.#child
    if (child === undefined) return undefined
    const ask = ++this.#asked
    const answer = new Promise<T | undefined>((resolve) =>
      this.#answers.set(ask, resolve as (value: unknown) => void),
    )
    child.send({ ask, ...question })
    const timer = setTimeout(() => {
      this.#fault(`${this.place.name} does not answer: ${question.what}`)
      this.#answers.get(ask)?.(undefined)
    }, ANSWER_MS)
    const value = await Promise.race([answer, child.ended.then(() => undefined)])
    clearTimeout(timer)
    this.#answers.delete(ask)
    return value
  }

  /** Has both edit them; gives the ids whose edits were acknowledged. */
  async edit(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const wanted = new Set(ids)
    const edited = new Set<string>()
    this.#acknowledge = (writes) => {
      for (const [id] of writes) if (wanted.has(id)) edited.add(id)
    }
    await this.ask({ what: 'edit', ids })
    this.#acknowledge = () => undefined
    return edited
  }

  async stop(how: 'kill' | 'close'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    if (how === 'kill') child.kill()
    else {
      this.#child = child
      await this.ask({ what: 'close' })
      this.#child = undefined
    }
    const { code, signal } = await child.ended
    if (how === 'kill' ? signal !== 'SIGKILL' : code !== 0)
      this.#fault(`${this.place.name} ended by itself (${code}): ${child.errors}`)
  }

  #learn(message: Exclude<PeerMessage, { kind: 'open' }>): void {
    switch (message.kind) {
      case 'try':
        for (const [id, n, kind] of message.writes) {
          this.#ledger.try(id, n, kind)
          this.#n = Math.max(this.#n, n + 1)
        }
        break
      case 'whole':
        this.#ledger.whole(message.writes)
        break
      case 'evicted':
        this.#ledger.evicted += message.bodies
        break
      case 'ack':
        for (const [id, n, rev] of message.writes) this.#ledger.acknowledge(id, n, rev)
        this.#acknowledge(message.writes)
        break
      case 'answer':
        this.#answers.get(message.ask)?.(message.value)
        break
      case 'fault':
        this.#fault(`${this.place.name}: ${message.fault}`)
    }
  }
}
