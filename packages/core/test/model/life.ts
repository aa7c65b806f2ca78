import { collect } from '../log/support.js'
import { checkAll } from './check.js'
import { anId, ids } from './drawing.js'
import type { History } from './history.js'
import { done, refused } from './model.js'

export async function seal(history: History): Promise<void> {
  await history.db.seal()
  history.synced()
}

/** A clean end and a new start; now and then for reading only in between. */
export async function reopen(history: History): Promise<void> {
  const { chance, machine } = history
  await machine.db.close()
  history.synced()
  await history.answers('a closed database', machine.db.get('a'), refused('MYNAH_CLOSED'))
  if (chance.is(0.2)) {
    await history.open({ readOnly: true })
    await checkAll(history)
    await history.answers(
      'a put of who may only read',
      machine.db.put({ id: 'a' }),
      refused('MYNAH_READ_ONLY'),
    )
    await machine.db.close()
  }
  await history.open()
}

/** Nothing was under way when it ended. */
export async function end(history: History): Promise<void> {
  const { chance, machine } = history
  const how = chance.is(0.5) || history.relaxed ? 'kill' : 'power cut'
  history.tell(`  ${how}`)
  await machine.until(Number.POSITIVE_INFINITY, how, async () => undefined)
  await history.open()
}

export async function pass({ chance, machine }: History): Promise<void> {
  await machine.env.pass(chance.pick([1, 1_000, 60_000]))
}

export async function verify(history: History): Promise<void> {
  const repair = history.chance.is(0.3)
  const report = await history.db.verify({ repair })
  history.same('verify', report, { ok: true, findings: [], repaired: [] })
}

export async function setMode({ chance, db, same }: History): Promise<void> {
  const mode = chance.pick(['peer', 'mirror'] as const)
  await db.setMode(mode)
  same('mode', db.mode, mode)
}

/** The other replica comes and goes, as far as reads are concerned. */
export async function contact(history: History): Promise<void> {
  const { chance, source } = history
  source.attached = chance.is(0.6)
  source.reachable = chance.is(0.7)
  source.complete = chance.is(0.7)
  history.tell(`  ${JSON.stringify(source)}`)
  source.attach()
}

/** Somebody who has had enough before it begins. */
export async function aborted(history: History): Promise<void> {
  const { chance, db } = history
  const signal = AbortSignal.abort(new Error('enough'))
  const id = anId(chance)
  const calls: (() => Promise<unknown>)[] = [
    () => db.put({ id, n: 7 }, { overwrite: true, signal }),
    () => db.putMany([{ id, n: 7 }], { overwrite: true, signal }),
    () => db.update(id, () => ({ n: 7 }), { signal }),
    () => db.get(id, { signal }),
    () => db.getMany([id], { signal }),
    () => collect(db.changes({ live: true, signal })),
  ]
  const outcome = await chance
    .pick(calls)()
    .then(
      () => 'done',
      (error: Error) => error.message,
    )
  history.same('what is aborted', outcome, 'enough')
}

export async function counts(history: History): Promise<void> {
  const { model, db } = history
  const live = ids.filter((id) => model.winner(id)?.deleted === false)
  await history.answers('count', db.count(), done(live.length))
}
