import { sets } from './documents.mjs'
import { bars, figures } from './figures.mjs'
import { stores } from './stores.mjs'

function spread(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
  return { median, least: sorted[0], most: sorted[sorted.length - 1] }
}

function shown(value) {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-GB')
  return String(Number(value.toPrecision(3)))
}

function shownSpread(found, unit = '') {
  if (!found) return ''
  const { median, least, most } = found
  return least === most
    ? `${shown(median)}${unit}`
    : `${shown(median)}${unit} (${shown(least)}–${shown(most)})`
}

const row = (cells) => `| ${cells.join(' | ')} |`

function figureRow(figure, run) {
  const values = (store) =>
    run.rounds.map((results) => (results[store] ? figure.of(results[store], run) : Number.NaN))
  const ratio = (other) => {
    if (!figure.better || !run.stores.includes('mynah')) return ''
    const ours = values('mynah')
    return shownSpread(
      spread(
        values(other).map((theirs, i) => (figure.better === 'more' ? ours[i] / theirs : theirs / ours[i])),
      ),
      '×',
    )
  }
  const cells = run.stores.map((store) => shownSpread(spread(values(store))))
  if (cells.every((cell) => cell === '')) return []
  return [row([figure.name, ...cells, ...others(run).map(ratio)])]
}

const others = (run) => (run.stores.includes('mynah') ? run.stores.filter((store) => store !== 'mynah') : [])

function verdict(bar, median) {
  const missed = bar.least !== undefined ? bar.least / median : median / bar.most
  if (missed > 1) return `**missed** by ${shown((missed - 1) * 100)}%`
  if (bar.goal === undefined) return 'met'
  const goalMet = bar.least !== undefined ? median >= bar.goal : median <= bar.goal
  return goalMet ? 'met, and the goal' : 'met, not the goal'
}

function barRow(bar, run) {
  const found = spread(run.rounds.map((results) => bar.of(results)))
  if (!found) return []
  const asked = bar.least !== undefined ? `≥ ${shown(bar.least)}` : `≤ ${shown(bar.most)}`
  const goal = bar.goal === undefined ? '' : ` (goal ${shown(bar.goal)})`
  return [row([bar.name, asked + goal, shownSpread(found), verdict(bar, found.median)])]
}

function setTable(run, { set, documents, jsonBytes }) {
  const part = { ...run, documents, rounds: run.rounds.map((results) => results[set]) }
  const titles = run.stores.map((store) => stores[store].title)
  const against = others(run).map((store) => `× as good as ${stores[store].title}`)
  const head = ['median (min–max)', ...titles, ...against]
  const rows = figures.flatMap((figure) => figureRow(figure, part))
  const barRows = bars.filter((bar) => bar.set === set).flatMap((bar) => barRow(bar, part))
  return [
    `### ${sets[set].title}: ${documents.toLocaleString('en-GB')} of ${shown(jsonBytes)} B of JSON`,
    '',
    row(head),
    row(head.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows,
    ...(barRows.length === 0
      ? []
      : ['', row(['bar', 'asked', 'found', '']), row(['---', '---:', '---:', '---']), ...barRows]),
    '',
  ]
}

/** The tables of a run, as markdown. */
export function formatReport(run) {
  return [
    `Batches of 1,000, ids ${run.ids}, times ${run.times}, seed ${run.seed}, ${run.rounds.length} round(s), Node ${run.node}, ${run.machine}.`,
    '',
    ...run.sets.flatMap((set) => setTable(run, set)),
    ...run.notes.flatMap((note) => [note, '']),
  ].join('\n')
}
