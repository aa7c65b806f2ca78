import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCell } from '../src/cell.js'

test.each([
  ['0', 0],
  ['-3', -3],
  ['12.80', 12.8],
  ['5.0', 5],
  ['0.001', 0.001],
  ['9007199254740991', 9007199254740991],
])('%s is a number', (text, value) => {
  expect(parseCell(text)).toBe(value)
})

test.each([
  ...[
    '007',
    '00',
    '1e5',
    '12abc',
    '+5',
    '-0',
    '-0.0',
    '.5',
    '5.',
    '1,203',
    ' 5',
    '5 ',
    '0x10',
    'NaN',
    'Infinity',
  ],
  ...['9007199254740993', '12345678901234567890', '0.12345678901234567', '１２', 'true', '1990-01-08'],
])('%s stays text', (text) => {
  expect(parseCell(text)).toBe(text)
})

test('an empty cell means nothing', () => {
  expect(parseCell('')).toBeUndefined()
})

test('what becomes a number can be written back as it stood, up to zeros at the end', () => {
  const cells = fc.oneof(
    fc.stringMatching(/^-?\d{1,20}(\.\d{1,20})?$/),
    fc.double().map(String),
    fc.integer().map(String),
    fc.string(),
  )
  fc.assert(
    fc.property(cells, (text) => {
      const value = parseCell(text)
      if (typeof value !== 'number') return value === undefined ? text === '' : value === text
      const plain = text.includes('.') ? text.replace(/\.?0+$/, '') : text
      const written = value.toString().includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : String(value)
      return written === plain
    }),
  )
})
