/** What the tables show: each figure's place in a round's results. */

export const figures = [
  { name: 'insert, documents/s', of: (r, run) => run.documents / r.insert?.insertSeconds, better: 'more' },
  { name: 'insert, seal and close: CPU s', of: (r) => r.insert?.cpuSeconds, better: 'less' },
  {
    name: '– of the wall after the last acknowledgement, s',
    of: (r) => sum(r.insert?.settleSeconds, r.insert?.closeSeconds),
    better: 'less',
  },
  { name: '– peak RSS, MB', of: (r) => r.insert?.peakRssBytes / 1e6, better: 'less' },
  { name: '– event loop late, p50 ms', of: (r) => r.insert?.loop.p50 },
  { name: '– event loop late, p99 ms', of: (r) => r.insert?.loop.p99 },
  { name: '– event loop late, p99.9 ms', of: (r) => r.insert?.loop.p999, better: 'less' },
  { name: '– event loop late, max ms', of: (r) => r.insert?.loop.max },
  { name: 'update of a fifth, documents/s', of: (r) => r.update?.updatesPerSecond, better: 'more' },
  { name: 'scan of all, documents/s', of: (r) => r.update?.scannedPerSecond, better: 'more' },
  {
    name: 'bytes written / bytes of JSON, with updates',
    of: (r) => r.update?.writeAmplification,
    better: 'less',
  },
  { name: 'hot get/s', of: (r) => r.read?.hotPerSecond, better: 'more' },
  { name: 'warm get/s, sealed', of: (r) => r.read?.warmPerSecond, better: 'more' },
  { name: 'cold get, p50 ms', of: (r) => r.cold?.p50, better: 'less' },
  { name: 'cold get, p99 ms', of: (r) => r.cold?.p99, better: 'less' },
  {
    name: 'bytes/document, sealed and closed',
    of: (r, run) => r.insert?.sealed.bytes / run.documents,
    better: 'less',
  },
  {
    name: '– in blocks of the disk',
    of: (r, run) => r.insert?.sealed.diskBytes / run.documents,
    better: 'less',
  },
  { name: '– log and shards', of: (r, run) => r.insert?.sealed.parts.log / run.documents },
  { name: '– index', of: (r, run) => r.insert?.sealed.parts.index / run.documents },
  { name: 'bytes/document, compacted', of: (r, run) => r.shrink?.bytes / run.documents, better: 'less' },
  { name: 'open to first get, after a clean end, ms', of: (r) => r.open?.readyMs, better: 'less' },
  { name: 'open to first get, after kill -9, ms', of: (r) => r.kill?.readyMs, better: 'less' },
  { name: 'raw append and fdatasync, p50 ms', of: (r) => r.durable?.raw.p50 },
  { name: 'put, one in flight, p50 ms', of: (r) => r.durable?.one.p50, better: 'less' },
  { name: 'put, one in flight, p99 ms', of: (r) => r.durable?.one.p99, better: 'less' },
  { name: 'put, one in flight, puts/s', of: (r) => r.durable?.one.perSecond, better: 'more' },
  { name: 'put, 64 in flight, puts/s', of: (r) => r.durable?.many.perSecond, better: 'more' },
]

const part = (mine, theirs) => mine / theirs

/** Bars of each set: `disk` is the part of PouchDB's bytes that is hoped for. */
const ofSet = (set, disk) =>
  [
    {
      name: `inserts, times PouchDB’s`,
      of: (r) => part(r.pouchdb?.insert?.insertSeconds, r.mynah?.insert?.insertSeconds),
      least: 3,
      goal: 6,
    },
    {
      name: 'inserts, times LMDB’s',
      of: (r) => part(r.lmdb?.insert?.insertSeconds, r.mynah?.insert?.insertSeconds),
      least: 0.8,
    },
    {
      name: 'CPU of inserting, sealing, closing, part of PouchDB’s',
      of: (r) => part(r.mynah?.insert?.cpuSeconds, r.pouchdb?.insert?.cpuSeconds),
      most: 1,
    },
    {
      name: 'hot get, times PouchDB’s',
      of: (r) => part(r.mynah?.read?.hotPerSecond, r.pouchdb?.read?.hotPerSecond),
      least: 20,
    },
    {
      name: 'hot get, times SQLite’s',
      of: (r) => part(r.mynah?.read?.hotPerSecond, r.sqlite?.read?.hotPerSecond),
      least: 1,
    },
    {
      name: 'warm sealed get, times PouchDB’s',
      of: (r) => part(r.mynah?.read?.warmPerSecond, r.pouchdb?.read?.warmPerSecond),
      least: 3,
    },
    { name: 'cold sealed get, p50 ms', of: (r) => r.mynah?.cold?.p50, most: 1 },
    {
      name: 'bytes on disk, part of PouchDB’s',
      of: (r) => part(r.mynah?.insert?.sealed.bytes, smallest(r.pouchdb)),
      most: 1 / 4,
      goal: disk,
    },
    {
      name: 'bytes written / bytes of JSON, with updates of a fifth',
      of: (r) => r.mynah?.update?.writeAmplification,
      most: 3,
    },
  ].map((bar) => ({ ...bar, set }))

/**
 * What was asked for, set by set. `of` takes a round's results of the set by store; `least` and `most` bound it, `goal`
 * is the hope beyond. Of other stores, the smaller of what they leave and what their own compaction leaves counts.
 */
export const bars = [
  ...ofSet('iot', 1 / 5),
  {
    set: 'iot',
    name: 'bytes on disk, part of SQLite’s',
    of: (r) => part(r.mynah?.insert?.sealed.bytes, smallest(r.sqlite)),
    most: 1 / 3,
    goal: 1 / 5,
  },
  {
    set: 'iot',
    name: 'durable puts, 64 in flight, times one in flight',
    of: (r) => part(r.mynah?.durable?.many.perSecond, r.mynah?.durable?.one.perSecond),
    least: 10,
  },
  {
    set: 'iot',
    name: 'durable put, one in flight, p50, times the raw fdatasync’s',
    of: (r) => part(r.mynah?.durable?.one.p50, r.mynah?.durable?.raw.p50),
    most: 2.5,
  },
  {
    set: 'iot',
    name: 'open to first get after a clean end, ms',
    of: (r) => r.mynah?.open?.readyMs,
    most: 250,
  },
  { set: 'iot', name: 'open to first get after kill -9, ms', of: (r) => r.mynah?.kill?.readyMs, most: 2_000 },
  {
    set: 'iot',
    name: 'event loop late while inserting and sealing, p99.9 ms',
    of: (r) => r.mynah?.insert?.loop.p999,
    most: 50,
  },
  ...ofSet('game', 1 / 8),
  ...ofSet('text', 1 / 4),
]

const sum = (a, b) => a + b

function smallest(results) {
  return Math.min(results?.insert?.sealed.bytes ?? Number.NaN, results?.shrink?.bytes ?? Number.NaN)
}
