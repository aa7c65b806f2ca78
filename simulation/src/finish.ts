import type { Ref } from '@mynah/core'
import type { LogRecord } from '@mynah/core/replica'
import type { Process } from './ground.js'
import type { Machine } from './machine.js'
import { nameOf } from './model.js'
import { half, isHalf } from './transactor.js'
import { Violation } from './violation.js'
import type { World } from './world.js'

/** How long a fleet may take to agree once nothing goes wrong any more. */
const LIMIT_MS = 600_000
const LOOK_MS = 2_000

/** The leaves of each document, in an order of their own. */
type Leaves = Map<string, readonly LogRecord[]>

/**
 * Waits until all replicas agree, and judges what they agree on.
 * @param look called when they do; gives what is still to come to its end
 * @throws Violation
 */
export async function finish(
  world: World,
  look: () => Promise<string | undefined> = async () => undefined,
): Promise<void> {
  const endMs = world.scheduler.nowMs + LIMIT_MS
  for (;;) {
    await world.scheduler.sleep(LOOK_MS, 'look')
    for (const machine of world.machines) if (machine.process === undefined) void machine.start()
    const difference = world.unanswered().at(0) ?? (await compare(world)) ?? (await look())
    if (difference === undefined) break
    if (world.scheduler.nowMs > endMs)
      throw new Violation('replicas converge, and operations end', difference)
  }
  const known = []
  for (const machine of [...world.mirrors, ...world.peers])
    known.push(await leavesOf(world, required(machine)))
  checkRequired(world, known)
  checkTransactions(world, known)
  const live = liveIn(known[0], ghostsIn(world, known))
  for (const machine of world.machines) {
    const process = required(machine)
    await world.check.opened(machine, process)
    const { follower, transactor, evictor, pinner } = world.applicationOf(machine)
    await follower.check(process)
    await transactor.look(process)
    await pinner.check(process, live)
    await evictor.check(process, live)
  }
}

/** What keeps the fleet from agreeing; undefined when it does. */
async function compare(world: World): Promise<string | undefined> {
  const known = new Map<Machine, Leaves>()
  for (const machine of world.machines) {
    if (machine.process === undefined) return `${machine.name} is down`
    const { replication } = machine.process
    const { state, ahead, behind } = replication.status()
    if (replication.mirrors().length > 0 && (ahead > 0 || behind > 0))
      return `${machine.name} is ${ahead} ahead and ${behind} behind, ${state}`
    known.set(machine, await leavesOf(world, machine.process))
  }
  const ghosts = ghostsIn(world, [...known.values()])
  const [first] = world.mirrors
  const expected = first && known.get(first)
  if (first === undefined || expected === undefined) return 'there is no mirror'
  for (const [machine, leaves] of known) {
    const { mode, setup, name } = machine
    if (setup.scope?.length === 0) continue
    const difference = differenceOf(world, { expected, found: leaves, scope: setup.scope, ghosts })
    if (difference !== undefined) return `${name}: ${difference}`
    const stub = mode === 'mirror' ? stubIn(leaves, ghosts) : undefined
    if (stub !== undefined) return `${name} lacks the body of ${stub}`
    if (setup.scope === undefined && ghosts.size === 0) await compareSums(first, machine)
  }
  return undefined
}

async function compareSums(first: Machine, other: Machine): Promise<void> {
  const [a, b] = [await required(first).db.stats(), await required(other).db.stats()]
  if (a.root.count !== b.root.count || a.root.sum !== b.root.sum)
    throw new Violation('equal leaves have equal sums', `${first.name} and ${other.name}`)
}

/** By document, leaves that are known and that nobody holds. */
type Ghosts = ReadonlyMap<string, readonly string[]>

/**
 * Leaves that are known and that nobody holds: their records went with a disk that was set back before another had them.
 * Who lost them cannot get them back, and has what was under them instead. One that was promised to be somewhere is none
 * of these.
 */
function ghostsIn({ model }: World, all: readonly Leaves[]): Ghosts {
  const held = new Set<string>()
  const lacking = new Map<string, { readonly id: string; readonly rev: string }>()
  for (const leaves of all)
    for (const [id, records] of leaves)
      for (const { kind, rev } of records) {
        if (kind === 'revision') held.add(nameOf(id, rev))
        else lacking.set(nameOf(id, rev), { id, rev })
      }
  const ghosts = new Map<string, readonly string[]>()
  for (const [name, { id, rev }] of lacking)
    if (!held.has(name) && !model.guarantees.holds(name)) ghosts.set(id, [...(ghosts.get(id) ?? []), rev])
  return ghosts
}

function required({ name, process }: Machine): Process {
  if (process === undefined) throw new Violation('machines stay up', name)
  return process
}

async function leavesOf({ model }: World, { replica }: Process): Promise<Leaves> {
  const leaves: Leaves = new Map()
  for (let since = 0, more = true; more; ) {
    const page = await replica.feed({ since, bodies: true, whole: true })
    for (const record of page.records) {
      const { id, rev, deleted, path, body } = record
      model.learnPath(id, rev, deleted, path)
      if (!deleted && body !== undefined && !(body instanceof Uint8Array))
        model.checkBody(id, rev, { ...body, id, rev })
      leaves.set(id, [...(leaves.get(id) ?? []).filter((other) => other.rev !== rev), record])
    }
    since = page.position.seq
    more = page.more
  }
  return leaves
}

function stubIn(leaves: Leaves, ghosts: Ghosts): string | undefined {
  for (const [id, records] of leaves)
    for (const { kind, rev, deleted } of records)
      if (kind === 'stub' && !deleted && ghosts.get(id)?.includes(rev) !== true) return `${id} ${rev}`
  return undefined
}

function differenceOf(
  { model }: World,
  options: {
    readonly expected: Leaves
    readonly found: Leaves
    readonly scope: readonly string[] | undefined
    readonly ghosts: Ghosts
  },
): string | undefined {
  const { expected, found, scope, ghosts } = options
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    if (scope !== undefined && !scope.some((prefix) => id.startsWith(prefix))) continue
    const lost = ghosts.get(id) ?? []
    const counts = ({ rev }: LogRecord) =>
      !lost.some((ghost) => ghost === rev || model.isAncestor(id, rev, ghost))
    const [a, b] = [expected, found].map((leaves) => textOf((leaves.get(id) ?? []).filter(counts)))
    if (a !== b) return `${id} is ${b} rather than ${a}`
  }
  return undefined
}

function textOf(leaves: readonly LogRecord[]): string {
  return `[${leaves.map(({ rev, deleted }) => `${rev}${deleted ? ' deleted' : ''}`).join(', ')}]`
}

/** Nothing that was acknowledged is missing at the first mirror, and nothing that was superseded is back. */
function checkRequired({ model }: World, known: readonly Leaves[]): void {
  for (const { id, rev } of model.required()) {
    const revs = (known[0]?.get(id) ?? []).map((leaf) => leaf.rev)
    if (!revs.some((leaf) => leaf === rev || model.isAncestor(id, rev, leaf)))
      throw new Violation(
        'nothing acknowledged is lost',
        `${id} ${rev}, leaves ${revs.join()}; promised: ${model.guarantees.describe(nameOf(id, rev))}`,
      )
    const back = revs.find((leaf) => model.isAncestor(id, leaf, rev))
    if (back !== undefined)
      throw new Violation('nothing superseded returns', `${id} ${back} is a leaf, and ${rev} follows it`)
  }
}

/**
 * No replica that covers all of them has a part of a transaction. Of one whose disk was set back the rest may be lost,
 * where something followed a part before it was pushed, or with a mirror that others were copying; so may a member that
 * was evicted, with the mirror that held it.
 */
function checkTransactions({ model, mirrors }: World, known: readonly Leaves[]): void {
  const { transactions, guarantees } = model
  const follows = ({ id, rev }: Ref) => model.isFollowed(id, rev)
  const orphans = guarantees.anySetBack((disk) => disk.startsWith('m'))
    ? []
    : transactions.lost().filter(({ members }) => !members.some(follows))
  const whole = [...transactions.intact(), ...orphans].filter(
    ({ members }) => !members.some(({ id, rev }) => guarantees.mayBeDropped(nameOf(id, rev))),
  )
  for (const leaves of known.slice(0, mirrors.length))
    for (const { name, members } of whole) {
      const there = members.map(({ id, rev }) =>
        (leaves.get(id) ?? []).some((leaf) => leaf.rev === rev || leaf.path.includes(rev)),
      )
      if (isHalf(members, there)) throw half('a mirror', name, members, there)
    }
}

/** Documents that are live and that nobody lost a leaf of. */
function liveIn(leaves: Leaves | undefined, ghosts: Ghosts): ReadonlySet<string> {
  const live = new Set<string>()
  for (const [id, records] of leaves ?? [])
    if (!ghosts.has(id) && records.some(({ deleted }) => !deleted)) live.add(id)
  return live
}
