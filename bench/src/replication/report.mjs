import { systems } from './systems.mjs'

const bytesOf = ({ bytesUp, bytesDown }) => bytesUp + bytesDown
const mega = (bytes) => bytes / 1e6

/** Figures of a copy or a push. */
function transferFigures(of, run) {
  const figure = (name, take, better) => ({ name, take: (r) => of(r) && take(of(r)), better })
  return [
    figure('documents/s', (r) => run.documents / r.seconds, 'more'),
    figure('MB on the wire, both ways', (r) => mega(bytesOf(r)), 'less'),
    figure('– bytes a document', (r) => bytesOf(r) / run.documents, 'less'),
    figure('HTTP requests', (r) => r.requests, 'less'),
    figure('CPU of the replica, µs a document', (r) => (r.cpuSeconds / run.documents) * 1e6, 'less'),
    figure('CPU of the server, µs a document', (r) => (r.server.cpuSeconds / run.documents) * 1e6, 'less'),
    figure('peak RSS of the replica, MB', (r) => mega(r.peakRssBytes), 'less'),
    figure('peak RSS of the server, MB', (r) => mega(r.server.peakRssBytes), 'less'),
  ]
}

function liveFigures() {
  const figure = (name, take, better) => ({ name, take: (r) => r.live && take(r.live), better })
  const ofBoth = (r, take) => (take(r.writer) + take(r.reader)) / r.writes
  return [
    figure('put on A to change on B, p50 ms', (r) => r.seen.p50, 'less'),
    figure('put on A to change on B, p99 ms', (r) => r.seen.p99, 'less'),
    figure('– of it the put itself, p50 ms', (r) => r.put.p50, 'less'),
    figure('bytes of a write, A and B, both ways', (r) => ofBoth(r, bytesOf), 'less'),
    figure('requests of a write, A', (r) => r.writer.requests / r.writes, 'less'),
    figure('requests of a write, B', (r) => r.reader.requests / r.writes, 'less'),
    figure(
      'CPU of a write, A, B and server, ms',
      (r) => {
        const replicas = r.writer.cpuSeconds + r.reader.cpuSeconds
        return ((replicas + r.server.cpuSeconds) / r.writes) * 1e3
      },
      'less',
    ),
  ]
}

function bars(run) {
  const times = (take) => (r) => r.mynah && r.pouchdb && take(r.mynah, r.pouchdb)
  return [
    {
      of: 'copy',
      name: 'initial copy: documents/s, times PouchDB’s',
      take: times((m, p) => p.copy.seconds / m.copy.seconds),
      least: 10,
      goal: 50,
    },
    {
      of: 'copy',
      name: 'initial copy: bytes, part of PouchDB’s',
      take: times((m, p) => bytesOf(m.copy) / bytesOf(p.copy)),
      most: 0.1,
    },
    {
      of: 'push',
      name: 'push: documents/s, times PouchDB’s',
      take: times((m, p) => p.push.seconds / m.push.seconds),
      least: 8,
      goal: 20,
    },
    {
      of: 'push',
      name: 'push: bytes, part of PouchDB’s',
      take: times((m, p) => bytesOf(m.push) / bytesOf(p.push)),
      most: 0.2,
    },
    {
      of: 'push',
      name: 'push: bytes, part of gzipped NDJSON of the readings',
      take: (r) => r.mynah && bytesOf(r.mynah.push) / run.gzippedBytes,
      most: 0.7,
    },
    {
      of: 'live',
      name: 'live: put to change, p50, part of PouchDB’s',
      take: times((m, p) => m.live.seen.p50 / p.live.seen.p50),
      most: 0.5,
    },
    { of: 'live', name: 'live: put to change, p50 ms', take: (r) => r.mynah?.live.seen.p50, goal: 5 },
  ].filter((bar) => run.measurements.includes(bar.of))
}

function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function shown(value) {
  if (value === undefined) return ''
  if (value >= 1_000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

function spread(values) {
  const found = values.filter((value) => Number.isFinite(value))
  if (found.length < 2) return shown(median(found))
  return `${shown(median(found))} (${shown(Math.min(...found))}–${shown(Math.max(...found))})`
}

function table(title, figures, run) {
  const lines = [
    `### ${title}`,
    '',
    `| median (min–max) | ${run.systems.map((name) => systems[name].title).join(' | ')} | × as good as PouchDB |`,
    `| --- |${' ---: |'.repeat(run.systems.length + 1)}`,
  ]
  for (const { name, take, better } of figures) {
    const of = (system) => run.rounds.map((round) => round[system] && take(round[system]))
    const cells = run.systems.map((system) => spread(of(system)))
    const [mine, theirs] = [of('mynah'), of('pouchdb')]
    const ratio = median(mine.map((value, i) => (better === 'more' ? value / theirs[i] : theirs[i] / value)))
    lines.push(`| ${name} | ${cells.join(' | ')} | ${ratio === undefined ? '' : `${shown(ratio)}×`} |`)
  }
  return lines.join('\n')
}

function verdict({ least, most, goal }, found) {
  const [met, asked] =
    least !== undefined
      ? [found >= least, `≥ ${least}`]
      : most !== undefined
        ? [found <= most, `≤ ${most}`]
        : [undefined, '']
  const reached = goal !== undefined && (least !== undefined ? found >= goal : found <= goal)
  const told = goal === undefined ? asked : `${asked} (goal ${goal})`.trim()
  if (met === false) return [told, '**missed**']
  if (met === undefined) return [told, reached ? 'goal met' : '**goal missed**']
  return [told, goal === undefined || reached ? 'met' : 'met, not the goal']
}

function barTable(run) {
  const lines = ['| bar | asked | found | |', '| --- | ---: | ---: | --- |']
  for (const bar of bars(run)) {
    const found = median(run.rounds.map((round) => bar.take(round)))
    if (found === undefined) continue
    const [asked, outcome] = verdict(bar, found)
    lines.push(`| ${bar.name} | ${asked} | ${shown(found)} | ${outcome} |`)
  }
  return lines.join('\n')
}

/** The run as markdown: what each system did, and what was asked with what was found. */
export function formatReport(run) {
  const parts = [
    `${run.documents.toLocaleString('en')} IoT readings (NDJSON ${run.jsonBytes.toLocaleString('en')} bytes, gzipped ${run.gzippedBytes.toLocaleString('en')}), ${run.writes} live writes, seed ${run.seed}, ${run.rounds.length} round(s), Node ${run.node}, ${run.machine}.`,
  ]
  const asked = (name) => run.measurements.includes(name)
  if (asked('copy'))
    parts.push(
      table(
        'Initial copy, server to empty replica',
        transferFigures((r) => r.copy, run),
        run,
      ),
    )
  if (asked('push'))
    parts.push(
      table(
        'Push, replica to empty server',
        transferFigures((r) => r.push, run),
        run,
      ),
    )
  if (asked('live')) parts.push(table('Live, replica A to server to replica B', liveFigures(), run))
  parts.push(barTable(run))
  return parts.join('\n\n')
}
