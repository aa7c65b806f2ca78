import { holds, type ReplicaChecks, same } from './check.js'
import { revision } from './revisions.js'

const ELSEWHERE = { incarnation: 'e'.repeat(32), seq: 1 }

export const placeChecks: ReplicaChecks = {
  'it keeps its id, which is its own': async (replica, reopen) => {
    const { id, mode } = replica
    holds(/^[0-9a-f]{32}$/.test(id), `not an id: ${id}`)
    const again = await reopen()
    same([again.id, again.mode], [id, mode])
  },
  'its own positions hold, also after opening again and going on': async (replica, reopen) => {
    const positions = [replica.position()]
    for (let n = 0; n < 3; n++) positions.push((await replica.merge([revision(`a-${n}`, n)])).position)
    same(replica.position(), positions.at(-1))
    const again = await reopen()
    for (let n = 3; n < 6; n++) positions.push((await again.merge([revision(`a-${n}`, n)])).position)
    for (const position of positions)
      holds(again.holds(position), `${position.incarnation}.${position.seq} does not hold`)
    same(
      positions.map(({ seq }) => seq),
      [0, 1, 2, 3, 4, 5, 6],
    )
  },
  'positions past the end, past the end of an earlier life, or of another history do not hold': async (
    replica,
    reopen,
  ) => {
    await replica.merge([revision('a', 1)])
    const first = replica.position()
    const again = await reopen()
    await again.merge([revision('b', 1), revision('c', 1)])
    const second = again.position()
    holds(again.holds(second), 'its own position does not hold')
    for (const position of [
      { ...second, seq: second.seq + 1 },
      { ...first, seq: second.seq },
      { ...ELSEWHERE, seq: first.seq },
    ])
      holds(!again.holds(position), `${position.incarnation}.${position.seq} holds`)
    holds(again.holds({ ...ELSEWHERE, seq: 0 }), 'the beginning, which all histories share, does not hold')
  },
  'a checkpoint is kept, for each direction and key, while its own side holds': async (replica, reopen) => {
    await replica.merge([revision('a', 1)])
    const own = replica.position()
    const push = { source: own, target: ELSEWHERE }
    const pull = { source: ELSEWHERE, target: own }
    await replica.setCheckpoint('m', 'push', push)
    await replica.setCheckpoint('m', 'pull', pull)
    const lost = { ...own, seq: own.seq + 1 }
    await replica.setCheckpoint('lost', 'push', { source: lost, target: ELSEWHERE })
    await replica.setCheckpoint('lost', 'pull', { source: own, target: { ...ELSEWHERE, seq: own.seq } })
    for (const next of [async () => replica, reopen]) {
      const one = await next()
      same(ordered(await one.checkpoint('m', 'push')), ordered(push), 'push')
      same(ordered(await one.checkpoint('m', 'pull')), ordered(pull), 'pull')
      same(await one.checkpoint('other', 'push'), undefined, 'of another mirror')
      same(await one.checkpoint('lost', 'push'), undefined, 'past the end of its source')
      same(await one.checkpoint('lost', 'pull'), undefined, 'of a target in another history')
    }
  },
  'what is parked is kept beside the checkpoint, until it is replaced': async (replica, reopen) => {
    const checkpoint = { source: replica.position(), target: ELSEWHERE }
    const parked = ['a', 'b'].map((id) => ({
      id,
      rev: revision(id, 1).rev,
      code: 'MYNAH_REVISION_REFUSED',
      reason: 'a test',
      mirror: 'm',
    }))
    same(await replica.parked('m'), [])
    await replica.setCheckpoint('m', 'push', checkpoint, parked)
    await replica.setCheckpoint('m', 'push', checkpoint)
    const again = await reopen()
    same(await again.parked('m'), parked)
    same(await again.parked('other'), [])
    await again.setCheckpoint('m', 'push', checkpoint, [])
    same(await again.parked('m'), [])
  },
  'settings are remembered': async (replica, reopen) => {
    const settings = {
      mirrors: [{ url: 'http://localhost/db', token: 't' }],
      scope: ['a'],
      hold: 'all' as const,
    }
    await replica.setSettings(settings)
    same(ordered(replica.settings()), ordered(settings))
    same(ordered((await reopen()).settings()), ordered(settings), 'after opening again')
  },
  'it tells when it closes': async (replica, reopen) => {
    let closed = false
    const telling = replica.closed.then(() => {
      closed = true
    })
    await replica.merge([revision('a', 1)])
    same(closed, false, 'closed while open')
    await reopen()
    await telling
  },
}

/** The same with its keys in one order. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, part]) => [key, ordered(part)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
