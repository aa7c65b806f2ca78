import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The functions that took most time by themselves in the profiles of a folder, by measurement: lines of text. */
export function formatHotSpots(folder, count = 15) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()
    .flatMap((name) => [`\n${name}`, ...hotSpots(join(folder, name), count)])
    .join('\n')
}

function hotSpots(file, count) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const totals = new Map()
  let all = 0
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame
    if (functionName === '(idle)') return
    const where = url
      ? `${url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url}:${lineNumber + 1}`
      : ''
    const key = `${functionName || '(anonymous)'} ${where}`
    totals.set(key, (totals.get(key) ?? 0) + timeDeltas[i])
    all += timeDeltas[i]
  })
  return [...totals]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(
      ([key, microseconds]) =>
        `  ${(microseconds / 1e3).toFixed(0).padStart(7)} ms ${((microseconds / all) * 100).toFixed(1).padStart(5)}%  ${key}`,
    )
}
