// Opens each LevelDB named on a line of its input, reads all, and answers with a line of JSON: the root and what is
// wrong beside it, or the error. Dies where LevelDB does.
import { createInterface } from 'node:readline'
import { Level } from 'level'
import { stateAfter } from './content.mjs'

for await (const folder of createInterface({ input: process.stdin })) {
  const level = new Level(folder)
  let answer
  try {
    await level.open()
    const root = await level.get('root')
    const state = root === undefined ? new Map() : stateAfter(Number(root))
    const wrong = []
    let count = 0
    for await (const [key, value] of level.iterator()) {
      count += 1
      if (state.get(key) !== value) wrong.push(key)
    }
    for (const [key, value] of state) if ((await level.get(key)) !== value) wrong.push(`get ${key}`)
    if (count !== state.size) wrong.push(`${count} instead of ${state.size}`)
    answer = { root: root === undefined ? -1 : Number(root), wrong: wrong.slice(0, 3) }
  } catch (error) {
    answer = { error: `${error.code} ${error.cause?.message ?? ''}` }
  }
  await level.close().catch(() => undefined)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
