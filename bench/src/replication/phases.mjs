import { fork } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { summarise } from '../measure.mjs'
import { startServer } from './server.mjs'
import { systems } from './systems.mjs'

const script = fileURLToPath(new URL('child.mjs', import.meta.url))
/** Between a change that was seen and the next put: all that it brought with it is over by then. */
const PAUSE_MS = 25
/** Puts before those that count. */
const WARM_UP = 20

/** Starts a replica; `messages` gets what it says, `result` is its last word. */
function start(task, onMessage = () => undefined) {
  const child = fork(script, [JSON.stringify(task)], { execArgv: task.execArgv ?? [] })
  const result = new Promise((resolve, reject) => {
    let told
    child.on('message', (message) => {
      if (message.result) told = message.result
      else onMessage(message)
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (told) resolve(told)
      else reject(new Error(`${task.system} ${task.phase}: the process ended with ${signal ?? code}`))
    })
  })
  return { child, result }
}

const run = (task) => start(task).result

function fresh(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** One measurement's folders and server, gone after it. */
async function withServer({ system, parent }, filled, use) {
  const folder = path.join(parent, system, 'server')
  if (!filled) fresh(folder)
  const server = await startServer(systems[system], folder)
  try {
    return await use(server, (name) => fresh(path.join(parent, system, name)))
  } finally {
    await server.stop()
  }
}

/** The documents as a server's database, and as that of a replica which pushes. */
async function fill(options, folder) {
  await run({ ...options, phase: 'fill', folder })
}

/** An empty replica takes all that a server has. */
async function copy(options) {
  const { system, parent } = options
  const data = systems[system].databaseIn(fresh(path.join(parent, system, 'server')))
  mkdirSync(path.dirname(data), { recursive: true })
  await fill(options, data)
  return withServer(options, true, async (server, folder) => {
    const client = await run({ ...options, phase: 'pull', folder: folder('replica'), url: server.url })
    return { ...client, server: server.cost() }
  })
}

/** A replica that has all gives it to an empty server. */
async function push(options) {
  const folder = fresh(path.join(options.parent, options.system, 'replica'))
  await fill(options, folder)
  return withServer(options, false, async (server) => {
    const client = await run({ ...options, phase: 'push', folder, url: server.url })
    return { ...client, server: server.cost() }
  })
}

/** One replica puts readings, one after another; another sees them as changes. */
async function live(options) {
  return withServer(options, false, async (server, folder) => {
    const waiting = new Set()
    const waitFor = (wanted) =>
      new Promise((resolve) => {
        const look = (message) => {
          if (!wanted(message)) return
          waiting.delete(look)
          resolve(message)
        }
        waiting.add(look)
      })
    const hear = (message) => {
      for (const look of [...waiting]) look(message)
    }
    const replica = (phase) => start({ ...options, phase, folder: folder(phase), url: server.url }, hear)
    const ready = () => waitFor((message) => message.ready)
    const readerReady = ready()
    const reader = replica('reader')
    await Promise.race([readerReady, reader.result])
    const writerReady = ready()
    const writer = replica('writer')
    await Promise.race([writerReady, writer.result])
    const [seen, acknowledged] = [[], []]
    for (let n = 0; n < options.writes; n++) {
      const both = Promise.all([waitFor((m) => m.startedAt !== undefined), waitFor((m) => m.seen)])
      writer.child.send({ write: n })
      const [put, change] = await Promise.race([both, writer.result, reader.result])
      if (n >= WARM_UP) {
        seen.push(change.at - put.startedAt)
        acknowledged.push(put.acknowledgedAt - put.startedAt)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    for (const { child } of [writer, reader]) child.send({ end: true })
    return {
      writes: options.writes,
      put: summarise(acknowledged),
      seen: summarise(seen),
      writer: await writer.result,
      reader: await reader.result,
      server: server.cost(),
    }
  })
}

export const measurements = { copy, push, live }
