import { heldBy } from './held-check.js'
import type { Machine } from './machine.js'
import { Modes } from './modes.js'
import { addressOf, prefixes, type World } from './world.js'

/** Peers at once, at most. */
const PEERS = 6
/** Mirrors at once, at most. */
const MIRRORS = 6

/** Who belongs to the fleet, in which mode, and what replicates. */
export class Membership {
  readonly #world: World
  readonly #startLater: (machine: Machine) => void
  readonly #modes: Modes

  constructor(world: World, startLater: (machine: Machine) => void) {
    this.#world = world
    this.#startLater = startLater
    this.#modes = new Modes(world, startLater)
  }

  change(): void {
    const { random } = this.#world
    random.pick([
      () => this.#copyPeer(),
      () => this.#join(),
      () => this.#joinPeer(),
      () => this.#leave(),
      () => this.#wipe(),
      () => this.#import(),
    ])()
  }

  /** Another scope, or another mode, from the next start on. */
  setAnew(): void {
    const { random } = this.#world
    const machine = random.pick(this.#world.peers)
    if (!machine.up) return
    const { setup } = machine
    const coversAll = setup.scope === undefined || setup.scope.includes('')
    if (machine.mode === 'mirror') {
      if (random.chance(0.5)) return
      this.#forget(addressOf(machine.name))
      return this.#modes.becomePeer(machine)
    }
    if (coversAll && random.chance(0.5)) {
      this.#modes.becomeMirror(machine)
      if (random.chance(0.6)) this.#makeKnown(machine)
    } else {
      // Without a scope the last one would be remembered.
      const scope = random.pick([[], [prefixes[0]], [prefixes[0], prefixes[2]], ['']])
      this.#world.count('scope changes')
      this.#world.tell(`${machine.name} is to cover ${JSON.stringify(scope)}`)
      machine.setup = { ...setup, scope }
      void machine.stop().then(() => this.#startLater(machine))
    }
  }

  /** Tells some of the others that there is one more mirror. */
  #makeKnown(mirror: Machine): void {
    const address = addressOf(mirror.name)
    for (const machine of this.#world.machines) {
      if (machine === mirror || (machine.mode === 'peer' && this.#world.random.chance(0.5))) continue
      machine.setup = { ...machine.setup, mirrors: [...machine.setup.mirrors, address] }
      this.#world.heed(machine)
    }
  }

  /** Nobody knows this mirror any more; who knew no other is told of one. */
  #forget(address: string): void {
    for (const machine of this.#world.machines) {
      if (!machine.setup.mirrors.includes(address)) continue
      const rest = machine.setup.mirrors.filter((url) => url !== address)
      const isAlone = rest.length === 0 && !this.#world.mirrors.includes(machine)
      const others = this.#world.mirrors.filter((mirror) => mirror !== machine)
      const other = isAlone ? [addressOf(this.#world.random.pick(others).name)] : []
      machine.setup = { ...machine.setup, mirrors: [...rest, ...other] }
      this.#world.heed(machine)
    }
  }

  /** A new machine begins with what another's disk holds now. */
  #copyPeer(): void {
    const { random, peers } = this.#world
    const original = random.pick(peers)
    if (peers.length >= PEERS || original.process === undefined) return
    this.#world.count('copied peers')
    const copy = this.#world.add('peer', original.setup)
    copy.mode = original.mode
    copy.insert(original.disk)
    this.#world.applicationOf(copy).recall(this.#world.applicationOf(original).remember())
    this.#world.copyExchanged(copy, original)
    this.#world.tell(`${copy.name} begins with a copy of ${original.name}'s disk`)
    this.#startLater(copy)
  }

  #join(): void {
    const { mirrors } = this.#world
    if (mirrors.length >= MIRRORS) return
    this.#world.count('joined mirrors')
    const known = mirrors.map(({ name }) => addressOf(name))
    const mirror = this.#world.add('mirror', {
      mirrors: known,
      scope: undefined,
      hold: 'all',
      live: true,
      discovers: false,
      bytesPerHour: undefined,
    })
    this.#world.tell(`${mirror.name} joins`)
    this.#makeKnown(mirror)
    this.#startLater(mirror)
  }

  /** A new device, which holds all as often as not: a first copy. */
  #joinPeer(): void {
    const { random, peers, mirrors } = this.#world
    if (peers.length >= PEERS) return
    this.#world.count('joined peers')
    const known = mirrors.map(({ name }) => addressOf(name)).filter(() => random.chance(0.6))
    const peer = this.#world.add('peer', {
      mirrors: known.length > 0 ? known : [addressOf(random.pick(mirrors).name)],
      scope: undefined,
      hold: random.chance(0.5) ? 'all' : 'used',
      live: random.chance(0.8),
      discovers: false,
      bytesPerHour: undefined,
    })
    this.#world.tell(`${peer.name} joins`)
    this.#startLater(peer)
  }

  #leave(): void {
    const { random, mirrors } = this.#world
    if (mirrors.length < 2) return
    const mirror = random.pick(mirrors)
    this.#world.count('mirrors that left')
    this.#world.tell(`${mirror.name} leaves`)
    this.#world.remove(mirror)
    this.#forget(addressOf(mirror.name))
  }

  /** A mirror loses all that it has. */
  #wipe(): void {
    const mirror = this.#world.random.pick(this.#world.mirrors)
    this.#world.count('wiped mirrors')
    this.#empty(mirror)
    this.#startLater(mirror)
  }

  #empty(mirror: Machine): void {
    mirror.crash('power cut')
    this.#world.tell(`${mirror.name} has an empty disk`)
    this.#world.model.guarantees.setBack(mirror.diskName)
    mirror.insertNew()
    this.#world.applicationOf(mirror).recall(undefined)
    this.#world.copyExchanged(mirror, undefined)
  }

  /** A mirror, or a new peer, begins as another database into which somebody brought documents of this one. */
  #import(): void {
    const { random, peers, mirrors, machines } = this.#world
    const original = random.pick(machines)
    const { process } = original
    if (process === undefined) return
    const isMirror = peers.length >= PEERS || random.chance(0.5)
    const others = mirrors.filter((mirror) => mirror !== original)
    if (isMirror && others.length === 0) return
    this.#world.count('imported databases')
    this.#world.run(original, 'export', async ({ replica }) => {
      const records = await heldBy(replica)
      if (!process.alive) return
      const target = isMirror ? random.pick(others) : this.#world.add('peer', peers[0]!.setup)
      if (target.gone) return
      if (isMirror) this.#empty(target)
      target.imports = records
      this.#world.tell(`${target.name} begins with ${records.length} documents of ${original.name}`)
      this.#startLater(target)
    })
  }
}
