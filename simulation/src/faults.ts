import type { MemoryDisk } from '@mynah/core/compliance'
import type { Application } from './application.js'
import type { Machine } from './machine.js'
import { Membership } from './membership.js'
import type { Profile } from './profile.js'
import type { World } from './world.js'

/** A copy of a disk, with what the application knew, as of a moment. */
interface Backup {
  readonly machine: Machine
  readonly disk: MemoryDisk
  readonly diskName: string
  readonly memory: ReturnType<Application['remember']>
  readonly stamp: number
}

/** What goes wrong between the operations. Some of it takes a while, and ends by itself. */
export class Faults {
  readonly #world: World
  readonly #membership: Membership
  readonly #backups: Backup[] = []
  #over = false

  constructor(world: World) {
    this.#world = world
    this.#membership = new Membership(world, (machine) => this.#startLater(machine))
  }

  /** Draws what goes wrong in this step. */
  step(): void {
    const { random, profile } = this.#world
    const kinds: readonly (readonly [keyof Profile, () => void])[] = [
      ['kill', () => this.#crash('kill')],
      ['powerCut', () => this.#crash('power cut')],
      ['restart', () => this.#restart()],
      ['clock', () => this.#clock()],
      ['disk', () => (random.chance(0.5) ? this.#fullDisk() : this.#failingDisk())],
      ['partition', () => this.#partition()],
      ['membership', () => this.#membership.change()],
      ['settings', () => this.#membership.setAnew()],
      ['restore', () => (random.chance(0.6) ? this.#backUp() : this.#restore())],
    ]
    for (const [kind, run] of kinds) {
      const chance = profile[kind]
      if (typeof chance === 'number' && random.chance(chance)) run()
    }
  }

  /** Ends all that goes wrong, and has every machine running. */
  heal(): void {
    this.#over = true
    this.#world.hosts.network.heal()
    for (const machine of this.#world.machines) {
      Object.assign(machine.weather, { error: 0, flip: 0, short: 0 })
      machine.disk.capacityBytes = Number.POSITIVE_INFINITY
      machine.clock.drift(0)
      machine.process?.replication.resume()
      if (machine.setup.bytesPerHour !== undefined) {
        machine.setup = { ...machine.setup, bytesPerHour: undefined }
        void machine.stop()
      }
      // Its disk may have failed when it was to remember other mirrors.
      if (machine.process === undefined) void machine.start()
      else this.#world.heed(machine)
    }
  }

  #any(): Machine {
    return this.#world.random.pick(this.#world.machines)
  }

  #later(delayMs: number, machine: Machine, what: string, run: () => void): void {
    this.#world.scheduler.after(delayMs, `${machine.name} ${what}`, () => {
      if (!this.#over && !machine.gone) run()
    })
  }

  #startLater(machine: Machine): void {
    const { life } = machine
    this.#later(this.#world.random.around(3_000), machine, 'restart', () => {
      if (machine.life === life) void machine.start()
    })
  }

  #crash(how: 'kill' | 'power cut'): void {
    const machine = this.#any()
    this.#world.count(how)
    machine.crash(how)
    this.#startLater(machine)
  }

  #restart(): void {
    const machine = this.#any()
    if (!machine.up) return
    this.#world.count('restarts')
    void machine.stop().then(() => {
      if (machine.process === undefined && !this.#over) this.#startLater(machine)
    })
  }

  #partition(): void {
    const { random, machines, hosts } = this.#world
    this.#world.count('partitions')
    const cut = machines.filter(() => random.chance(0.4)).map(({ name }) => name)
    const rest = machines.map(({ name }) => name).filter((name) => !cut.includes(name))
    hosts.network.partition(cut, rest, { oneWay: random.chance(0.2) })
    this.#world.tell(`${cut.join()} cannot reach ${rest.join()}`)
    this.#world.scheduler.after(random.around(8_000), 'join', () => {
      hosts.network.join()
      this.#world.tell('all can reach each other')
    })
  }

  #clock(): void {
    const { random } = this.#world
    const machine = this.#any()
    this.#world.count('clock changes')
    if (random.chance(0.3)) machine.clock.drift(random.between(-200, 200) / 1_000)
    else machine.clock.jump((random.chance(0.5) ? 1 : -1) * random.around(3_600_000))
    this.#world.tell(`${machine.name}: its clock changes`)
  }

  #fullDisk(): void {
    const { random } = this.#world
    const machine = this.#any()
    this.#world.count('full disks')
    this.#world.tell(`${machine.name}: its disk is full`)
    machine.diskFailed = true
    machine.disk.capacityBytes = machine.disk.usedBytes + random.below(2_000)
    this.#later(random.around(5_000), machine, 'space', () => {
      machine.disk.capacityBytes = Number.POSITIVE_INFINITY
      this.#world.tell(`${machine.name}: there is space again`)
    })
  }

  #failingDisk(): void {
    const { random } = this.#world
    const machine = this.#any()
    this.#world.count('failing disks')
    this.#world.tell(`${machine.name}: its disk fails now and then`)
    machine.diskFailed = true
    const share = random.pick([0.02, 0.1, 0.5])
    Object.assign(machine.weather, {
      error: share,
      flip: random.chance(0.3) ? share / 2 : 0,
      short: random.chance(0.3) ? share / 2 : 0,
    })
    this.#later(random.around(3_000), machine, 'disk well', () => {
      Object.assign(machine.weather, { error: 0, flip: 0, short: 0 })
      this.#world.tell(`${machine.name}: its disk works again`)
    })
  }

  #backUp(): void {
    const machine = this.#any()
    if (machine.process === undefined) return
    this.#world.count('backups')
    this.#world.tell(`${machine.name}: its disk is copied`)
    const { disk, diskName } = machine
    const memory = this.#world.applicationOf(machine).remember()
    const stamp = this.#world.model.guarantees.stamp()
    this.#backups.push({ machine, disk: disk.copy(), diskName, memory, stamp })
  }

  #restore(): void {
    const { random, model } = this.#world
    const usable = this.#backups.filter(
      ({ machine, diskName }) => !machine.gone && machine.diskName === diskName,
    )
    if (usable.length === 0) return
    const { machine, disk, diskName, memory, stamp } = random.pick(usable)
    this.#world.count('restores')
    machine.crash('kill')
    this.#world.tell(`${machine.name}: an old copy takes the place of its disk`)
    machine.insert(disk)
    model.guarantees.setBack(diskName, stamp)
    this.#world.applicationOf(machine).recall(memory)
    this.#startLater(machine)
  }
}
