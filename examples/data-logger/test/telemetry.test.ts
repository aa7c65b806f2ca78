import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { countersOf, parseDiskStats, parseNetwork, toolsSource } from '../src/counters.js'
import { hostName, ratesBetween, Telemetry } from '../src/telemetry.js'

const diskStats = `
   7       0 loop0 9 0 999 0 9 0 999 0 0 0 0
 254       0 vda 15068 6389 2000 18706 2437 18172 1000 2166 0 6372 21074 3287 22 43040 201 6 0
 254       1 vda1 15068 6389 2000 18706 2437 18172 1000 2166 0 6372 21074
 253       0 dm-0 15068 6389 2000 18706 2437 18172 1000 2166 0 6372 21074
`

const network = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 226459230    6634    0    0    0     0          0         0   526039    4722    0    0    0     0       0          0
docker0:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
 wlan0:      70       1    0    0    0     0          0         0        1       1    0    0    0     0       0          0
`

test('disks are counted once: no partitions, no loops, no mappings', () => {
  expect(parseDiskStats(diskStats, ['loop0', 'vda', 'dm-0'])).toEqual({
    diskReadBytes: 2000 * 512,
    diskWriteBytes: 1000 * 512,
  })
  expect(parseDiskStats('', [])).toEqual({})
})

test('the network is what leaves the machine', () => {
  expect(parseNetwork(network)).toEqual({ networkInBytes: 226459300, networkOutBytes: 526040 })
  expect(parseNetwork('nothing: here')).not.toHaveProperty('diskReadBytes')
  expect(parseNetwork('')).toEqual({})
})

test('a rate needs both counters, time between them, and no restart', () => {
  const before = { readMs: 1_000, diskReadBytes: 100, diskWriteBytes: 500, networkInBytes: 7 }
  const now = { readMs: 3_000, diskReadBytes: 301, diskWriteBytes: 400, networkOutBytes: 9 }
  expect(ratesBetween(before, now)).toEqual({ diskReadBytesPerSecond: 101 })
  expect(ratesBetween(before, { ...now, readMs: 1_000 })).toEqual({})
})

test.each([
  ['web-1.example.org', 'web-1.example.org'],
  ['_hidden', 'hidden'],
  ['Käte’s Mac\u0007', 'K-te-s-Mac-'],
  ['', 'host'],
])('a host called %j may stand in an id', (name, id) => {
  expect(hostName(name)).toBe(id)
})

test('this machine tells of itself', async () => {
  const telemetry = new Telemetry(tmpdir(), await countersOf(process.platform))
  await telemetry.begin()
  const at = new Date(Date.UTC(2026, 10, 21))
  const sample = await telemetry.sample(at)
  expect(sample.id).toBe(`${sample.host}/2026-11-21T00:00:00.000Z`)
  expect(sample.at).toEqual(at)
  expect(sample.cpuPercent).toBeGreaterThanOrEqual(0)
  expect(sample.cpuPercent).toBeLessThanOrEqual(100)
  expect(sample.memoryPercent).toBeGreaterThan(0)
  expect(sample.diskUsedBytes).toBeGreaterThan(0)
  for (const value of Object.values(sample))
    if (typeof value === 'number') expect(value).toBeGreaterThanOrEqual(0)
})

test('the source for other platforms answers at once with what it knows', async () => {
  const source = await toolsSource(60_000)
  const first = await source()
  expect(first.readMs).toBeGreaterThan(0)
  expect(await source()).toBe(first)
})
