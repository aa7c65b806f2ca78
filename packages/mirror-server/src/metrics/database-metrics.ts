import type { Stats } from '@mynah/core'
import type { MirrorStatus } from '@mynah/replication'
import { Counter, Gauge, Registry } from 'prom-client'
import type { PeerLag } from './peer-lag.js'

/** What there is to tell of one database. */
export interface DatabaseSight {
  readonly name: string
  readonly stats: Stats
  readonly mirrors: readonly MirrorStatus[]
  readonly peers: ReturnType<PeerLag['of']>
}

type Told = readonly [name: string, help: string, value: (stats: Stats) => number]

const gauges: readonly Told[] = [
  ['documents', 'Live documents known', ({ documents }) => documents],
  ['tombstones', 'Documents that were deleted', ({ tombstones }) => tombstones],
  ['conflicts', 'Documents with more than one live leaf', ({ conflicts }) => conflicts],
  ['head_seq', 'The newest record', ({ seq }) => seq],
  ['owed_leaves', 'Bodies that are to be held here and are not', ({ owed }) => owed],
  ['hot_records', 'Records that are not sealed yet', ({ hotRecords }) => hotRecords],
  ['hot_bytes', 'About how many bytes they take in memory', ({ hotBytes }) => hotBytes],
  ['sealed_records', 'Records in shards', ({ sealedRecords }) => sealedRecords],
  ['sealed_bytes', 'Bytes of the shards', ({ sealedBytes }) => sealedBytes],
  ['raw_bytes', 'Bytes of the shards before compression', ({ rawBytes }) => rawBytes],
  [
    'compression_ratio',
    'Bytes of the shards to those before compression; 1 where there are none',
    ({ sealedBytes, rawBytes }) => (rawBytes === 0 ? 1 : sealedBytes / rawBytes),
  ],
  ['dead_bytes', 'About how many sealed bytes compaction would drop', ({ deadBytes }) => deadBytes],
  ['index_bytes', 'Bytes of the index on disk', ({ indexBytes }) => indexBytes],
  ['disk_bytes', 'Bytes of all files', ({ diskBytes }) => diskBytes],
  ['shards', 'Shards', ({ shards }) => shards],
  ['cache_bytes', 'Bytes of decoded shards in memory', ({ cacheBytes }) => cacheBytes],
  ['lost_records', 'Records that were lost to damage', ({ lostRecords }) => lostRecords],
  [
    'damaged_files',
    'Faults that were found in files since the database was opened',
    ({ damage }) => damage.length,
  ],
]

const counters: readonly Told[] = [
  [
    'cache_hits_total',
    'Reads of sealed records that found their shard decoded',
    ({ cacheHits }) => cacheHits,
  ],
  ['cache_misses_total', 'Reads that decoded a shard', ({ cacheMisses }) => cacheMisses],
  ['commits_total', 'Groups that were made durable', ({ commits }) => commits],
  ['commit_seconds_total', 'How long that took together', ({ commitMs }) => commitMs / 1_000],
  ['seals_total', 'Batches of shards that were sealed', ({ seals }) => seals],
  ['seal_seconds_total', 'How long that took together', ({ sealMs }) => sealMs / 1_000],
]

const links: readonly (readonly [name: string, help: string, value: (status: MirrorStatus) => number])[] = [
  ['mirror_ahead', 'Changes here that another mirror has not acknowledged', ({ ahead }) => ahead],
  ['mirror_behind', 'Records of another mirror that are not pulled yet', ({ behind }) => behind],
  ['mirror_rejected', 'Documents that another mirror refused', ({ rejected }) => rejected],
  ['mirror_failures', 'Failures of another mirror in a row', ({ failures }) => failures],
  [
    'mirror_latency_seconds',
    'How long the last greeting took; not a number before the first',
    ({ latencyMs }) => (latencyMs ?? Number.NaN) / 1_000,
  ],
]

/** Tells of databases as they stand now, in the text format of Prometheus. */
export async function databaseMetrics(databases: readonly DatabaseSight[]): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const labelNames = ['database']
  for (const [name, help, value] of gauges) {
    const gauge = new Gauge({ name: `mynah_${name}`, help, labelNames, registers })
    for (const { name: database, stats } of databases) gauge.set({ database }, value(stats))
  }
  for (const [name, help, value] of counters) {
    const counter = new Counter({ name: `mynah_${name}`, help, labelNames, registers })
    for (const { name: database, stats } of databases) counter.inc({ database }, value(stats))
  }
  for (const [name, help, value] of links) {
    const gauge = new Gauge({ name: `mynah_${name}`, help, labelNames: ['database', 'mirror'], registers })
    for (const { name: database, mirrors } of databases)
      for (const mirror of mirrors) gauge.set({ database, mirror: mirror.url }, value(mirror))
  }
  const lag = new Gauge({
    name: 'mynah_peer_lag_records',
    help: 'Records that came after where who pulls with a token was last, within an hour',
    labelNames: ['database', 'token'],
    registers,
  })
  for (const { name: database, stats, peers } of databases)
    for (const { token, seq } of peers) lag.set({ database, token }, Math.max(0, stats.seq - seq))
  return await registry.metrics()
}
