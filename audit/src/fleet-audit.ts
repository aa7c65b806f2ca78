import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CuttingProxy } from './cutting-proxy.js'
import { compareFleet } from './fleet-compare.js'
import { FleetLedger } from './fleet-ledger.js'
import type { PeerStatus } from './fleet-peer.js'
import { digestOf, type LeafDigest, leavesAt } from './leaves.js'
import { freePort, MirrorProcess } from './mirror-process.js'
import { PeerProcess } from './peer-process.js'
import { Random } from './random.js'

export interface FleetAuditOptions {
  /** What the choices follow from; what they meet is up to the machine. */
  readonly seed: number
  /** All are minima: the faults go on until each is reached. */
  readonly restarts: number
  readonly connectionCuts: number
  readonly documents: number
  /** Of the same ids on both sides, while neither could hear of the other's. */
  readonly edits: number
  readonly transactions: number
  /** Bodies dropped by the peer that holds what it uses. */
  readonly evicted: number
  readonly onProgress?: (counts: FleetCounts) => void
}

export interface FleetCounts {
  restarts: number
  connectionCuts: number
  documents: number
  edits: number
  /** Transactions that had come to their commit. */
  transactions: number
  /** Bodies that a peer dropped. */
  evicted: number
}

export interface FleetReport extends FleetCounts {
  readonly seed: number
  /** From the last fault until all three agreed on every leaf; undefined when they did not. */
  readonly convergedMs: number | undefined
  readonly leaves: number
  readonly faults: readonly string[]
}

const minima = ['restarts', 'connectionCuts', 'documents', 'edits', 'transactions', 'evicted'] as const
/** What is allowed between the last fault and agreement. */
const CONVERGENCE_MS = 30_000
/** How long is waited for it, to tell late from never. */
const PATIENCE_MS = 90_000
/** A run that has not reached its minima by then is given up. */
const FAULTS_MS = 600_000
const SHARED = 200
/** What each peer makes at most, of the documents that are asked for: both together come to that. */
const OWN_PART = 0.75
const EDITS_AT_ONCE = 40

/** Two peers and a mirror, each a process, restarted and cut off from each other; then left alone until they agree. */
export async function auditFleet(options: FleetAuditOptions): Promise<FleetReport> {
  const fleet = await FleetAudit.begin(options)
  return fleet.run()
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

class FleetAudit {
  readonly #options: FleetAuditOptions
  readonly #random: Random
  readonly #place: string
  readonly #ledger: FleetLedger
  readonly #mirror: MirrorProcess
  readonly #proxy: CuttingProxy
  readonly #peers: readonly [PeerProcess, PeerProcess]
  readonly #shared = Array.from({ length: SHARED }, (_, i) => `shared/${i}`)
  readonly #faults: string[] = []
  readonly #counts: FleetCounts = {
    restarts: 0,
    connectionCuts: 0,
    documents: 0,
    edits: 0,
    transactions: 0,
    evicted: 0,
  }

  private constructor(
    options: FleetAuditOptions,
    random: Random,
    place: string,
    mirror: MirrorProcess,
    proxy: CuttingProxy,
  ) {
    this.#options = options
    this.#random = random
    this.#place = place
    this.#mirror = mirror
    this.#proxy = proxy
    this.#ledger = new FleetLedger(random.seed())
    this.#peers = [this.#peer('a', 'all', 0), this.#peer('b', 'used', 1_000_000_000)]
  }

  static async begin(options: FleetAuditOptions): Promise<FleetAudit> {
    const random = new Random(options.seed)
    const place = mkdtempSync(join(tmpdir(), 'mynah-fleet-'))
    const mirror = new MirrorProcess(join(place, 'mirror'), 'fleet', await freePort())
    const proxy = await CuttingProxy.start(mirror.port, new Random(random.seed()))
    return new FleetAudit(options, random, place, mirror, proxy)
  }

  async run(): Promise<FleetReport> {
    let agreed: { readonly ms: number; readonly leaves: number } | undefined
    try {
      await Promise.all([this.#mirror.start(), ...this.#peers.map((peer) => peer.start())])
      await this.#breakThings()
      agreed = await this.#converge()
    } catch (error) {
      this.#faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    await this.#stop(agreed !== undefined)
    if (agreed !== undefined) this.#faults.push(...(await compareFleet(this.#ledger, this.#folders())))
    if (this.#faults.length === 0) rmSync(this.#place, { recursive: true })
    else this.#faults.push(`the folders are in ${this.#place}; the mirror said: ${this.#mirror.output}`)
    const { ms: convergedMs, leaves = 0 } = agreed ?? { ms: undefined }
    return { ...this.#counted(), seed: this.#options.seed, convergedMs, leaves, faults: this.#faults }
  }

  #peer(name: string, hold: 'all' | 'used', firstN: number): PeerProcess {
    const mirror = `http://127.0.0.1:${this.#proxy.port}/v1/fleet`
    const location = join(this.#place, name)
    const documents = Math.ceil(OWN_PART * this.#options.documents)
    const place = { name, location, mirror, hold, shared: this.#shared, firstN, documents }
    return new PeerProcess(place, this.#ledger, this.#random, (fault) => this.#faults.push(fault))
  }

  #folders(): { readonly name: string; readonly folder: string; readonly holdsAll: boolean }[] {
    return [
      { name: 'mirror', folder: join(this.#place, 'mirror', 'fleet'), holdsAll: true },
      ...this.#peers.map(({ place: { name, location, hold } }) => ({
        name,
        folder: location,
        holdsAll: hold === 'all',
      })),
    ]
  }

  #counted(): FleetCounts {
    this.#counts.connectionCuts = this.#proxy.cuts
    this.#counts.documents = this.#ledger.documents
    this.#counts.transactions = this.#ledger.wholes.count
    this.#counts.evicted = this.#ledger.evicted
    return this.#counts
  }

  async #breakThings(): Promise<void> {
    const until = Date.now() + FAULTS_MS
    const short = (): boolean => {
      const counts = this.#counted()
      return minima.some((name) => counts[name] < this.#options[name])
    }
    while (short() && Date.now() < until && this.#faults.length === 0) {
      await pause(this.#random.between(50, 700))
      if (this.#random.chance(0.2)) await this.#leaveAlone(this.#random.between(500, 4_000))
      const victim = this.#random.below(10)
      if (victim < 5) await this.#restartMirror()
      else await this.#restartPeer(this.#peers[victim < 8 ? 0 : 1])
      this.#options.onProgress?.(this.#counted())
    }
  }

  /** Peers that come to nothing between faults are never seen in the states that follow. */
  async #leaveAlone(ms: number): Promise<void> {
    this.#proxy.cutting = false
    this.#proxy.cutAll()
    await pause(ms)
    this.#proxy.cutting = true
    this.#proxy.cutAll()
  }

  async #restartMirror(): Promise<void> {
    const signal = this.#random.pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const)
    const ended = await this.#mirror.stop(signal)
    if (ended !== (signal === 'SIGKILL' ? 'SIGKILL' : '0')) this.#faults.push(`the mirror ended as ${ended}`)
    const from = this.#random.below(SHARED)
    const ids = [...this.#shared, ...this.#shared].slice(from, from + EDITS_AT_ONCE)
    const [atA, atB] = await Promise.all(this.#peers.map((peer) => peer.edit(ids)))
    this.#counts.edits += ids.filter((id) => atA?.has(id) && atB?.has(id)).length
    if (this.#random.chance(0.3)) await this.#restartPeer(this.#random.pick(this.#peers))
    await this.#mirror.start()
    this.#counts.restarts += 1
  }

  async #restartPeer(peer: PeerProcess): Promise<void> {
    await peer.stop(this.#random.pick(['kill', 'kill', 'close']))
    await peer.start()
    this.#counts.restarts += 1
  }

  async #converge(): Promise<{ readonly ms: number; readonly leaves: number } | undefined> {
    this.#proxy.cutting = false
    this.#proxy.cutAll()
    const healed = Date.now()
    await Promise.all(this.#peers.map((peer) => peer.ask({ what: 'quiet' })))
    let told = 'nothing'
    while (Date.now() - healed < PATIENCE_MS) {
      const statuses = await Promise.all(this.#peers.map((peer) => peer.ask<PeerStatus>({ what: 'status' })))
      told = JSON.stringify(statuses)
      const [a, b] = statuses
      if (a !== undefined && a.root.sum === b?.root.sum && a.ahead === 0 && b.ahead === 0) {
        const digests = await Promise.all([
          leavesAt(this.#mirror.url).then(digestOf),
          ...this.#peers.map((peer) => peer.ask<LeafDigest>({ what: 'leaves' })),
        ])
        told += JSON.stringify(digests)
        const [mirror] = digests
        if (mirror !== undefined && digests.every((digest) => digest?.digest === mirror.digest)) {
          const ms = Date.now() - healed
          await Promise.all(this.#peers.map((peer) => peer.ask({ what: 'reread' })))
          if (ms > CONVERGENCE_MS)
            this.#faults.push(`they agreed after ${ms} ms, allowed are ${CONVERGENCE_MS}`)
          return { ms, leaves: mirror.leaves }
        }
      }
      await pause(200)
    }
    this.#faults.push(`they did not agree in ${PATIENCE_MS} ms: ${told}`)
    return undefined
  }

  async #stop(clean: boolean): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop(clean ? 'close' : 'kill')))
    await this.#mirror.stop(clean ? 'SIGTERM' : 'SIGKILL')
    await this.#proxy.stop()
  }
}
