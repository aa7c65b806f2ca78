import type { LogRecord } from '@mynah/core/replica'
import type { Machine, Process } from './machine.js'
import { Violation } from './violation.js'
import type { World } from './world.js'

/** How long a fleet may take to agree once nothing goes wrong any more. */
const LIMIT_MS = 600_000
const LOOK_MS = 2_000

/** The leaves of each document, in an order of their own. */
type Leaves = Map<string, readonly LogRecord[]>

/** Waits until all replicas agree, and judges what they agree on. @throws Violation */
export async function finish(world: World): Promise<void> {
  const endMs = world.scheduler.nowMs + LIMIT_MS
  for (;;) {
    await world.scheduler.sleep(LOOK_MS, 'look')
    const difference = world.unanswered().at(0) ?? (await compare(world))
    if (difference === undefined) break
    if (world.scheduler.nowMs > endMs)
      throw new Violation('replicas converge, and operations end', difference)
  }
  const [mirror] = world.mirrors
  if (mirror?.process !== undefined) checkRequired(world, await leavesOf(world, mirror.process))
  for (const machine of world.machines) {
    const process = required(machine)
    await world.check.opened(machine, process)
    await world.applicationOf(machine).checkFollowed(process)
  }
}

/** What keeps the fleet from agreeing; undefined when it does. */
async function compare(world: World): Promise<string | undefined> {
  const [first, ...others] = world.mirrors
  if (first?.process === undefined) return 'a mirror is down'
  const expected = await leavesOf(world, first.process)
  const stub = stubIn(expected)
  if (stub !== undefined) return `${first.name} lacks the body of ${stub}`
  for (const machine of [...others, ...world.peers]) {
    const { process, setup } = machine
    if (process === undefined) return `${machine.name} is down`
    const { state, ahead, behind } = process.replication.status()
    if (ahead > 0 || behind > 0) return `${machine.name} is ${ahead} ahead and ${behind} behind, ${state}`
    if (setup.scope?.length === 0) continue
    const found = await leavesOf(world, process)
    const difference = differenceOf(expected, found, setup.scope)
    if (difference !== undefined) return `${machine.name}: ${difference}`
    const stub = machine.mode === 'mirror' ? stubIn(found) : undefined
    if (stub !== undefined) return `${machine.name} lacks the body of ${stub}`
    if (setup.scope === undefined) {
      const [a, b] = [await first.process.db.stats(), await process.db.stats()]
      if (a.root.count !== b.root.count || a.root.sum !== b.root.sum)
        throw new Violation('equal leaves have equal sums', `${first.name} and ${machine.name}`)
    }
  }
  return undefined
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

function stubIn(leaves: Leaves): string | undefined {
  for (const [id, records] of leaves)
    for (const { kind, rev, deleted } of records) if (kind === 'stub' && !deleted) return `${id} ${rev}`
  return undefined
}

function differenceOf(
  expected: Leaves,
  found: Leaves,
  scope: readonly string[] | undefined,
): string | undefined {
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    if (scope !== undefined && !scope.some((prefix) => id.startsWith(prefix))) continue
    const [a, b] = [revsOf(expected, id), revsOf(found, id)]
    if (a !== b) return `${id} is ${b} rather than ${a}`
  }
  return undefined
}

function revsOf(leaves: Leaves, id: string): string {
  const revs = (leaves.get(id) ?? []).map(({ rev, deleted }) => `${rev}${deleted ? ' deleted' : ''}`)
  return `[${revs.join(', ')}]`
}

/** Nothing that was acknowledged is missing, and nothing that was superseded is back. */
function checkRequired({ model }: World, leaves: Leaves): void {
  for (const { id, rev } of model.required()) {
    const revs = (leaves.get(id) ?? []).map((leaf) => leaf.rev)
    if (!revs.some((leaf) => leaf === rev || model.isAncestor(id, rev, leaf)))
      throw new Violation('nothing acknowledged is lost', `${id} ${rev}, leaves ${revs.join()}`)
    const back = revs.find((leaf) => model.isAncestor(id, leaf, rev))
    if (back !== undefined)
      throw new Violation('nothing superseded returns', `${id} ${back} is a leaf, and ${rev} follows it`)
  }
}
