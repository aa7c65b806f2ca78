import path from 'node:path'
import { expect, test } from 'vitest'
import { type Read, readRows } from '../src/rows.js'

function fixture(name: string): string {
  return path.join(import.meta.dirname, 'fixtures', name)
}

async function readAll(file: string): Promise<{ rows: Map<number, unknown>; faults: Map<number, string> }> {
  const rows = new Map<number, unknown>()
  const faults = new Map<number, string>()
  for await (const read of readRows(file, () => {}) as AsyncIterable<Read>) {
    if ('fault' in read) faults.set(read.line, read.fault)
    else rows.set(read.line, read.row)
  }
  return { rows, faults }
}

test('a CSV file: cells typed with care, empty ones left out, quoted line breaks kept', async () => {
  const { rows } = await readAll(fixture('faulty.csv'))
  expect([...rows]).toEqual([
    [
      2,
      { name: 'bolt', part: '007', price: 12.8, big: '12345678901234567890', note: 'two\r\nlines, one cell' },
    ],
    [4, { name: 'nut', part: '1e5', price: '-0', big: -3 }],
    [6, { name: '"broken" quote', part: 1, price: 2, big: 3, note: 4 }],
    [8, { name: 'nut', part: '1e5', price: '-0', big: -3 }],
    [10, { name: 'last', part: '12abc', price: 0.1, big: 9007199254740991, note: '+5' }],
  ])
})

test('a CSV file: rows that cannot be read are told of by line, and the others are read', async () => {
  const { faults } = await readAll(fixture('faulty.csv'))
  expect([...faults.keys()]).toEqual([5, 7])
  expect(faults.get(5)).toMatch('2 cells where the header has 6')
  expect(faults.get(7)).toMatch('UTF-8')
})

test('a quote that is never closed is told of, since it takes the rest of the file with it', async () => {
  const { rows, faults } = await readAll(fixture('open-quote.csv'))
  expect([...rows.keys()]).toEqual([2])
  expect([...faults]).toEqual([[3, expect.stringMatching(/Quote Not Closed.*nothing after it was read$/)]])
})

test('an NDJSON file: documents as they stand, a separator of lines inside a string included', async () => {
  const { rows } = await readAll(fixture('faulty.ndjson'))
  expect(rows.get(1)).toEqual({ id: 'quake/1', mag: 2, felt: null, 'odd id': '\u2028 line separator' })
  expect(rows.get(2)).toEqual({ id: '2', mag: '2' })
  expect(rows.get(6)).toEqual({ mag: 1.5, nested: { deep: [1, { a: true }] } })
  expect([...rows.keys()]).toEqual([1, 2, 6, 7, 10, 11])
})

test('an NDJSON file: lines that are no documents are told of by number', async () => {
  const { faults } = await readAll(fixture('faulty.ndjson'))
  expect([...faults.keys()]).toEqual([3, 4, 8, 9])
  expect(faults.get(3)).toMatch('not JSON')
  expect(faults.get(4)).toMatch('not a JSON object')
  expect(faults.get(8)).toMatch('rev')
  expect(faults.get(9)).toMatch('UTF-8')
})

test('a file that is not there is an error, not an empty one', async () => {
  await expect(readAll(fixture('absent.csv'))).rejects.toThrow('ENOENT')
  await expect(readAll(fixture('absent.ndjson'))).rejects.toThrow('ENOENT')
})
