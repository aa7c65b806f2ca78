import { bodyHash } from '../document/revision.js'
import { type ReplicaChecks, same } from './check.js'
import { feedOf, leavesOf, results, revision, stubOf, told } from './revisions.js'

const grown = (id: string) => revision(id, 1, { parent: revision(id, 0) })

export const bodyChecks: ReplicaChecks = {
  'missing names what is unknown or not held, and nothing else': async (replica) => {
    const [held, known, unknown] = [grown('a'), grown('b'), grown('c')]
    const other = revision('a', 9)
    await replica.merge([held, stubOf(known)])
    same(await replica.missing([held, known, unknown, other]), [false, true, true, true])
    same(await replica.missing([unknown, held]), [true, false], 'in another order')
    same(await replica.missing([]), [])
  },
  'missing tells foreign revisions of one rev apart': async (replica) => {
    const [held, other] = [1, 2].map((n) => revision('a', n, { digest: 'abc' }))
    await replica.merge([held!])
    same(await replica.missing([held!, other!]), [false, true])
  },
  'a body supplies its stub, without a new place in the feed': async (replica, reopen) => {
    const record = grown('a')
    await replica.merge([stubOf(record), revision('b', 1)])
    same(await leavesOf(replica, 'a'), [told(stubOf(record))])
    const { seq } = replica.position()
    same(await results(replica, [record]), ['supplied'])
    same(await leavesOf(replica, 'a'), [told(record)])
    same(await replica.missing([record]), [false], 'missing')
    same(await feedOf(replica, { since: seq }), [], 'the feed after')
    const again = await reopen()
    same((await feedOf(again)).map(told), [record, revision('b', 1)].map(told), 'the feed')
    same(await results(again, [stubOf(record), record]), ['known', 'known'])
  },
  'a body that is not the one of its stub is refused, and goes on missing': async (replica) => {
    const record = grown('a')
    const foreign = revision('b', 1, { digest: 'abc' })
    await replica.merge([stubOf(record), stubOf(foreign)])
    const wrong = [record, foreign].map((one) => ({ ...one, body: { n: 'wrong' } }))
    const { outcomes } = await replica.merge(wrong)
    same(
      outcomes.map(({ result }) => result),
      ['refused', 'refused'],
    )
    same(await replica.missing([record, foreign]), [true, true], 'missing')
    same(await replica.bodies([record, foreign]), [], 'bodies')
    same(await results(replica, [record, foreign]), ['supplied', 'supplied'])
  },
  'bodies gives those that are held, and those alone': async (replica) => {
    const [held, known, unknown] = [grown('a'), grown('b'), grown('c')]
    await replica.merge([held, stubOf(known)])
    same((await replica.bodies([unknown, known, held])).map(told), [told(held)])
    const [whole] = await replica.bodies([held], { whole: true })
    same(whole?.path, held.path, 'the whole path')
    same(await replica.bodies([]), [])
  },
  'held names leaves whose bodies are held, who says so, and nothing else': async (replica) => {
    const [held, known, unknown] = [grown('a'), grown('b'), grown('c')]
    const foreign = [1, 2].map((n) => revision('d', n, { digest: 'abc' }))
    const next = revision('a', 2, { parent: held })
    await replica.merge([held, stubOf(known), foreign[0]!])
    const { id, mode } = replica
    const asked = [unknown, held, known, revision('a', 9), ...foreign]
    same(await replica.held(asked), { id, mode, held: [false, true, false, false, true, false] })
    await replica.merge([next])
    same(await replica.held([held, next]), { id, mode, held: [false, true] }, 'an ancestor')
    same(await replica.held([]), { id, mode, held: [] })
  },
  'values come back as themselves': async (replica, reopen) => {
    const body = {
      when: new Date(1_800_000_000_000),
      big: 5n,
      bytes: Uint8Array.of(1, 2),
      deep: [{ a: null }],
    }
    const { body: _, ...record } = revision('a', 0, { digest: 'abc' })
    const given = { ...record, bodyHash: bodyHash(false, body), body }
    same(await results(replica, [given]), ['new'])
    const [found] = await (await reopen()).leaves('a')
    const { when, big, bytes, deep } = (found?.body ?? {}) as typeof body
    const types = [when instanceof Date, typeof big, bytes instanceof Uint8Array]
    same(
      [...types, Number(when), String(big), [...bytes], deep],
      [...[true, 'bigint', true], ...[1_800_000_000_000, '5', [1, 2], [{ a: null }]]],
    )
  },
}
