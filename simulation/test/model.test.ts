import { expect, test } from 'vitest'
import { Guarantees } from '../src/guarantees.js'
import { Model } from '../src/model.js'
import { Violation } from '../src/violation.js'

test('a promise of one disk ends when it is set back to before it', () => {
  const guarantees = new Guarantees()
  guarantees.add('early', ['a'])
  const copied = guarantees.stamp()
  guarantees.add('late', ['a'])
  guarantees.add('late', ['a', 'b'], guarantees.since('late'))
  guarantees.setBack('a', copied)
  expect([guarantees.holds('early'), guarantees.holds('late')]).toEqual([true, false])
  guarantees.add('late', ['b'])
  expect([guarantees.holds('late'), guarantees.holds('late', 'a')]).toEqual([true, false])
  guarantees.setBack('b')
  expect([guarantees.holds('early'), guarantees.holds('late')]).toEqual([true, false])
})

test('what was dropped because a mirror holds it rests on that mirror too', () => {
  const guarantees = new Guarantees()
  guarantees.add('kept', ['p'])
  guarantees.add('dropped', ['p'])
  guarantees.setBack('m')
  const ended = guarantees.entrust(['dropped'], 'p', ['m'])
  expect(guarantees.holds('dropped')).toBe(true)
  ended()
  const copied = guarantees.stamp()
  guarantees.setBack('m', copied)
  expect(guarantees.holds('dropped')).toBe(true)
  guarantees.setBack('m')
  expect([guarantees.holds('dropped'), guarantees.holds('dropped', 'p')]).toEqual([false, true])
  expect(guarantees.holds('kept')).toBe(true)
  expect([guarantees.mayBeDropped('kept'), guarantees.mayBeDropped('dropped')]).toEqual([false, true])
})

test('what was dropped by one who trusted another rests on that one too, also where they trust each other', () => {
  const guarantees = new Guarantees()
  guarantees.add('dropped', ['p'])
  for (let i = 0; i < 100; i++)
    for (const [disk, mirror] of [
      ['p', 'q'],
      ['q', 'p'],
      ['q', 'm'],
    ] as const)
      guarantees.entrust(['dropped'], disk, [mirror])()
  guarantees.entrust(['dropped'], 'm', ['n'])(false)
  guarantees.setBack('n')
  expect(guarantees.holds('dropped')).toBe(true)
  guarantees.setBack('m')
  expect(guarantees.holds('dropped')).toBe(false)
})

test('only what was written, for that document, may be read', () => {
  const model = new Model()
  const doc = { id: 'a', w: model.nextWrite(), n: 1n, at: new Date(7) }
  model.attempt('a', doc)
  model.checkBody('a', '1-x', { ...doc, rev: '1-x' })
  expect(() => model.checkBody('a', '1-x', { ...doc, n: 1 })).toThrow(Violation)
  expect(() => model.checkBody('b', '1-x', doc)).toThrow(Violation)
  const other = { id: 'a', w: model.nextWrite() }
  model.attempt('a', other)
  expect(() => model.checkBody('a', '1-x', other)).toThrow('a revision has one body')
})

test('ancestry is what was told when it was written, and later of paths', () => {
  const model = new Model()
  model.learnPath('a', '4-d', false, ['3-c', '2-b'])
  model.learnPath('a', '2-b', false, ['1-a'])
  expect(model.isAncestor('a', '1-a', '4-d')).toBe(true)
  expect(model.isAncestor('a', '4-d', '1-a')).toBe(false)
  expect(model.isAncestor('a', '4-d', '4-d')).toBe(false)
  expect(() => model.learnPath('a', '4-d', false, ['3-x'])).toThrow('a revision has one parent')
})

test('a transaction that ran while the disk was copied may be missing from the copy', () => {
  const { guarantees, transactions } = new Model()
  const members = ['a', 'b'].map((id) => ({ id, rev: '1-x', unique: true }))
  const [before, during] = [transactions.begin('p'), transactions.begin('p')]
  for (const attempt of [before, during]) attempt.members = members
  transactions.end(before)
  const copied = guarantees.stamp()
  transactions.end(during)
  expect(transactions.intact('p')).toEqual([before, during])
  guarantees.setBack('p', copied)
  expect(transactions.intact('p')).toEqual([before])
  expect(transactions.lost()).toEqual([during])
})
