// `npm start`: the mirror and the data logger, each a process of its own, and neither left behind.
import { mkdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import path from 'node:path'
import { Part } from './part.mjs'
import { root, ShownError, setUp } from './set-up.mjs'
import { help, parseStartOptions } from './start-options.mjs'

export async function main(args) {
  const options = parseStartOptions(args)
  if (options.help) {
    console.log(help)
    return 0
  }
  const startsMirror = options.what !== 'logger'
  if (startsMirror) await requirePort(options.port)
  await setUp({ tools: false })
  mkdirSync(options.data, { recursive: true })
  const parts = []
  const stopped = stopOnRequest(parts)
  if (startsMirror) await startMirror(options, parts)
  if (options.what !== 'mirror' && !stopped.asked) startLogger(options, parts)
  return await watch(parts, options, stopped)
}

async function startMirror(options, parts) {
  const alone = options.what === 'mirror'
  const database = path.join(options.data, 'mirror')
  const mirror = new Part('mirror', {
    script: path.join(root, 'packages/mirror-server/dist/cli.js'),
    args: ['serve', '--data', database, '--port', String(options.port), '--create', 'telemetry'],
    // Alone it has the terminal; beside the logger, whose line of status that is, a file.
    logFile: alone ? undefined : path.join(options.data, 'mirror.log'),
  })
  parts.push(mirror)
  if (alone) return
  await mirror.until(() => isHealthy(options.port))
  if (mirror.running) say(`mirror  process ${mirror.pid}, ${mirrorUrl(options)}, data in ${shown(database)}`)
}

function startLogger(options, parts) {
  const database = path.join(options.data, 'logger')
  const logger = new Part('logger', {
    script: path.join(root, 'examples/data-logger/dist/cli.js'),
    args: [
      ...['--data', database, '--mirror', mirrorUrl(options), '--interval', String(options.intervalMs)],
      ...(options.importFile === undefined ? [] : ['--import', options.importFile]),
      ...(options.importFile !== undefined && options.wait ? ['--wait'] : []),
    ],
  })
  parts.push(logger)
  if (options.importFile === undefined) say(`logger  process ${logger.pid}, data in ${shown(database)}`)
}

/** Until all parts have ended. One that ends by itself is told of, and does not take the other with it. */
async function watch(parts, options, stopped) {
  for (const part of parts) {
    void part.ended.then(() => {
      if (stopped.asked) return
      if (options.importFile !== undefined) return stopped.stop()
      if (parts.length === 1) return
      say(`The ${part.name} ended (${part.end}). Start it again with: ${commandFor(part, options)}`)
      if (!part.killed) say(part.lastLines())
      if (parts.some((other) => other.running)) say('The other one goes on; Ctrl-C stops it.')
    })
  }
  await Promise.all(parts.map((part) => part.ended))
  if (options.importFile !== undefined) return parts.at(-1)?.exitCode ?? 1
  const judged = stopped.asked ? stopped.told : parts
  if (judged.some((part) => part.failed)) return 1
  if (stopped.asked) say(`Stopped; ${judged.length > 1 ? 'both databases are' : 'the database is'} closed.`)
  return 0
}

/** Ctrl-C, SIGTERM, a closed terminal and the loss of npm all stop the parts; one that does not follow is killed. */
function stopOnRequest(parts) {
  /** `told`: the parts that were still running when they were asked to stop. */
  const stopped = { asked: false, told: [], stop }
  function stop(signal) {
    if (stopped.asked) return
    stopped.asked = true
    stopped.told = parts.filter((part) => part.running)
    // A console on Windows has told them already.
    if (process.platform !== 'win32' || signal !== 'SIGINT') for (const part of stopped.told) part.stop()
    setTimeout(() => {
      for (const part of parts) part.kill()
    }, 20_000).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  process.stdout.on('error', stop)
  if (process.env.npm_lifecycle_event !== undefined) {
    const parents = parentsNow()
    setInterval(() => {
      if (parentsNow() !== parents) stop()
    }, 1_000).unref()
  }
  return stopped
}

/** The shell that npm runs us in, and npm where /proc tells: either may be killed without a word to us. */
function parentsNow() {
  try {
    const shell = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    return `${process.ppid} ${shell.slice(shell.lastIndexOf(')') + 1).split(' ')[2]}`
  } catch {
    return String(process.ppid)
  }
}

/** @throws ShownError when somebody else listens there. */
async function requirePort(port) {
  const server = createServer()
  const error = await new Promise((resolve) => {
    server.once('error', resolve)
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)))
  })
  if (error === undefined) return
  if (error.code === 'EACCES')
    throw new ShownError(`Port ${port} may not be used by this user; try --port 8800`)
  if (error.code !== 'EADDRINUSE') throw error
  const mynah = await isHealthy(port)
  throw new ShownError(
    `Port ${port} on 127.0.0.1 is taken${mynah ? ', it seems by a Mynah mirror that is running already' : ''}.\n` +
      `Take another one:            npm start -- --port ${port === 65_535 ? 8801 : port + 1}` +
      (mynah ? '\nOr start only the logger:    npm start -- logger' : ''),
  )
}

/** By `node:http`: the `fetch` of Node 20 never settles when the other side closes at once, and lets the process end. */
function isHealthy(port) {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/v1', timeout: 1_000 }, async (response) => {
      try {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()).name === 'mynah')
      } catch {
        resolve(false)
      }
    })
    request.once('timeout', () => request.destroy(new Error('no answer')))
    request.once('error', () => resolve(false))
  })
}

function commandFor(part, options) {
  const args = [part.name]
  if (options.data !== path.join(root, 'data')) args.push('--data', options.data)
  if (options.port !== 8800) args.push('--port', options.port)
  if (part.name === 'logger' && options.intervalMs !== 1_000) args.push('--interval', options.intervalMs)
  return `npm start -- ${args.join(' ')}`
}

function mirrorUrl(options) {
  return `http://127.0.0.1:${options.port}/v1/telemetry`
}

function shown(folder) {
  const relative = path.relative(process.cwd(), folder)
  return relative.startsWith('..') ? folder : relative
}

/** A line of our own, on a line of its own: the logger may be rewriting the last one. */
function say(text) {
  const clear = process.stdout.isTTY ? '\r\x1b[2K' : ''
  if (text !== '') console.log(`${clear}${text}`)
}
