import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { countOf, createDocuments } from './documents.mjs'
import { summarise } from './measure.mjs'
import { formatHotSpots } from './profile.mjs'
import { formatReport } from './report.mjs'
import { measureRound } from './rounds.mjs'
import { runChild } from './run-child.mjs'
import { stores } from './stores.mjs'

const resultsFolder = fileURLToPath(new URL('../results', import.meta.url))

/** The stores that load here; one that does not is left out, and every report says so. */
async function loadable(names) {
  const notes = []
  const found = []
  for (const name of names) {
    try {
      await stores[name].load()
      found.push(name)
    } catch (error) {
      const reason = String(error instanceof Error ? error.message : error).split('\n')[0]
      const note = `**${stores[name].title} was left out: it does not load here** (${reason}).`
      process.stderr.write(`${note}\n`)
      notes.push(note)
    }
  }
  return { found, notes }
}

function meanJsonBytes(options, set) {
  const documents = createDocuments({ ...options, set }, countOf(set, options.documents))
  return (
    documents.reduce((total, doc) => total + Buffer.byteLength(JSON.stringify(doc)), 0) / documents.length
  )
}

/** What of the figures is the harness's own. */
async function harnessNote(options) {
  const { peakRssBytes, cpuSeconds } = await runChild({
    ...options,
    store: 'nothing',
    set: 'iot',
    measurement: 'insert',
    batch: 1_000,
  })
  return `The harness alone, holding all readings: peak RSS ${Math.round(peakRssBytes / 1e6)} MB, CPU of the loop ${cpuSeconds.toFixed(2)} s.`
}

/** Puts percentiles in the place of the samples of cold gets. */
function summariseCold(rounds) {
  for (const results of rounds.flatMap((sets) => Object.values(sets))) {
    for (const result of Object.values(results)) {
      if (result.cold)
        result.cold = { ...summarise(result.cold.samples), pagesDropped: result.cold.pagesDropped }
    }
  }
}

/** Measures what the options ask for, prints the tables and keeps all figures. */
export async function measure(options) {
  const { found, notes } = await loadable(options.stores)
  const stamp = new Date().toISOString().replaceAll(':', '-').slice(0, 19)
  const profileFolder = join(resultsFolder, `profile-${stamp}`)
  // Its own for each run: two at once would lock each other out.
  const data = join(options.data ?? resultsFolder, `data-${process.pid}`)
  mkdirSync(options.profile ? profileFolder : resultsFolder, { recursive: true })
  const chosen = { ...options, stores: found, profileFolder }
  const rounds = []
  process.once('exit', () => rmSync(data, { recursive: true, force: true }))
  for (let round = 1; round <= options.rounds; round++) {
    rounds.push(await measureRound(chosen, round, data, (text) => process.stderr.write(`${text}\n`)))
  }
  summariseCold(rounds)
  notes.push(await harnessNote(options))
  const { documents, ids, times, seed } = options
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${process.platform}`
  const run = {
    documents,
    ids,
    times,
    seed,
    sets: options.sets.map((set) => ({
      set,
      documents: countOf(set, documents),
      jsonBytes: meanJsonBytes(options, set),
    })),
    node: process.version.slice(1),
    machine,
    stores: found,
    notes,
    rounds,
  }
  const file = join(resultsFolder, `${stamp}.json`)
  writeFileSync(file, `${JSON.stringify(run, null, 2)}\n`)
  process.stdout.write(`${formatReport(run)}\n`)
  if (options.profile) process.stdout.write(`${formatHotSpots(profileFolder)}\n`)
}
