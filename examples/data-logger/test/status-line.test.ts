import { expect, test } from 'vitest'
import { bytes, count, formatStatus } from '../src/status-line.js'

const status = {
  documents: 12_345,
  jsonBytes: 2_870_000,
  diskBytes: 512_000,
  mirror: 'idle',
  ahead: 0,
  behind: 0,
  skipped: 0,
  cpuPercent: 12.6,
  memoryPercent: 40.2,
  lastSample: new Date(2026, 10, 21, 13, 5, 9),
  fault: undefined,
}

test('a line of status', () => {
  expect(formatStatus(status)).toBe(
    '12,345 documents · mirror idle, 0 ahead, 0 behind · ~2.9 MB as JSON → 512 kB on disk (5.6 times smaller)' +
      ' · 13:05:09 cpu 13 % memory 40 %',
  )
})

test('what is out of the ordinary stands at the end', () => {
  expect(formatStatus({ ...status, skipped: 3, fault: 'disk full' })).toMatch(/ · 3 skipped · ! disk full$/)
})

test('no ratio is claimed where nothing is smaller, and no sample before the first', () => {
  const young = { ...status, jsonBytes: 10, diskBytes: 400, lastSample: undefined }
  expect(formatStatus(young)).toBe(
    '12,345 documents · mirror idle, 0 ahead, 0 behind · ~10 B as JSON → 400 B on disk',
  )
  expect(formatStatus({ ...young, jsonBytes: 0 })).toBe(
    '12,345 documents · mirror idle, 0 ahead, 0 behind · 400 B on disk',
  )
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [99_940, '99.9 kB'],
  [123_456, '123 kB'],
  [999_499, '999 kB'],
  [999_600, '1.0 MB'],
  [5e15, '5000 TB'],
])('%d bytes read as %s', (value, text) => {
  expect(bytes(value)).toBe(text)
})

test('counts have separators', () => {
  expect(count(1_234_567)).toBe('1,234,567')
})
