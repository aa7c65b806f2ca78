/** A write came to be durable on at least one of these disks between two moments. */
interface Guarantee {
  readonly disks: readonly string[]
  readonly from: number
  readonly to: number
}

/** What a disk held between two moments is gone from it. */
interface Loss {
  readonly after: number
  readonly until: number
}

/** A disk may have dropped what it held of some writes, after one of these mirrors' disks was found to hold it. */
interface Trust {
  readonly disk: string
  readonly writes: ReadonlySet<string>
  readonly mirrors: readonly string[]
  readonly from: number
  to: number
}

/**
 * Which acknowledged writes must still be somewhere, from what was promised and which disks were set back since. Naive
 * on purpose: a promise of one out of several disks counts as void when any of them was set back.
 */
export class Guarantees {
  readonly #guarantees = new Map<string, Guarantee[]>()
  readonly #losses = new Map<string, Loss[]>()
  readonly #trusts: Trust[] = []
  #stamp = 0

  /** A moment, to be remembered with a copy of a disk. */
  stamp(): number {
    return ++this.#stamp
  }

  /** From now on the write is durable on one of the disks; it reached it after `from`, or at once. */
  add(write: string, disks: readonly string[], from?: number): void {
    const to = this.stamp()
    const guarantee = { disks, from: from ?? to, to }
    const known = this.#guarantees.get(write)
    if (known === undefined) this.#guarantees.set(write, [guarantee])
    else known.push(guarantee)
  }

  /**
   * The disk is about to drop bodies of the writes that one of these mirrors' disks holds: from now on these count as well.
   * To be called when it is over, unless nobody ever knows when that is; with `false` where it dropped nothing.
   */
  entrust(
    writes: Iterable<string>,
    disk: string,
    mirrors: readonly string[],
  ): (hasDropped?: boolean) => void {
    const trust: Trust = {
      disk,
      writes: new Set(writes),
      mirrors,
      from: this.stamp(),
      to: Number.POSITIVE_INFINITY,
    }
    this.#trusts.push(trust)
    return (hasDropped = true) => {
      if (hasDropped) trust.to = this.stamp()
      else this.#trusts.splice(this.#trusts.indexOf(trust), 1)
    }
  }

  /** The disk is as it was at that moment again; without one it is empty, or gone. */
  setBack(disk: string, to = 0): void {
    const loss = { after: to, until: this.stamp() }
    const known = this.#losses.get(disk)
    if (known === undefined) this.#losses.set(disk, [loss])
    else known.push(loss)
  }

  /** Whether any disk of these was ever set back. */
  anySetBack(isOne: (disk: string) => boolean): boolean {
    return [...this.#losses.keys()].some(isOne)
  }

  /** Whether what came to the disk in this span is there, if it ever was. */
  isAsItWas(disk: string, from: number, to: number): boolean {
    return !this.#mayBeLost(disk, { from, to })
  }

  /** Whether the write must still be there: on the given disk, where it was acknowledged, or anywhere. */
  holds(write: string, disk?: string): boolean {
    const guarantees = this.#guarantees.get(write) ?? []
    if (disk === undefined) return guarantees.some((one) => this.#isKept(write, one))
    return guarantees.some(
      (one) => one.from === one.to && one.disks[0] === disk && !this.#mayBeLost(disk, one),
    )
  }

  /** Whether a disk, or this one, may have dropped it that trusted in others, of which one was set back since. */
  mayBeDropped(write: string, disk?: string): boolean {
    return this.#trusts.some(
      (trust) =>
        trust.writes.has(write) && (disk === undefined || trust.disk === disk) && !this.#isMet(trust, write),
    )
  }

  /** What was promised of the write and still holds, for people. */
  describe(write: string): string {
    const holding = (this.#guarantees.get(write) ?? []).filter((one) => this.#isKept(write, one))
    return holding.map(({ disks, from, to }) => `${disks.join(' or ')} (${from} to ${to})`).join(', ')
  }

  /** When the write was first promised. */
  since(write: string): number {
    return this.#guarantees.get(write)?.[0]?.from ?? this.#stamp
  }

  /** Whether all that the promise rests on is as it was. */
  #isKept(write: string, one: Guarantee): boolean {
    const trusts = this.#trusts.filter(({ disk, writes }) => one.disks.includes(disk) && writes.has(write))
    return (
      one.disks.every((name) => !this.#mayBeLost(name, one)) &&
      trusts.every((trust) => this.#isMet(trust, write))
    )
  }

  /** A mirror that became a peer may itself have dropped what it was trusted with, and trusted others. */
  #isMet(trust: Trust, write: string): boolean {
    // Disks trust each other in circles, so each is looked at once.
    const reached = new Set([trust])
    for (const { mirrors } of reached)
      for (const one of this.#trusts)
        if (mirrors.includes(one.disk) && one.writes.has(write)) reached.add(one)
    return [...reached].every((one) => one.mirrors.every((name) => !this.#mayBeLost(name, one)))
  }

  #mayBeLost(disk: string, { from, to }: { readonly from: number; readonly to: number }): boolean {
    return (this.#losses.get(disk) ?? []).some(({ after, until }) => until >= from && after < to)
  }
}
