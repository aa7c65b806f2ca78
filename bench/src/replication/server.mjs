import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

/** CPU seconds so far and the largest resident set of a process; NaN elsewhere than on Linux. */
function costOf(pid) {
  if (process.platform !== 'linux') return { cpuSeconds: Number.NaN, peakRssBytes: Number.NaN }
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    peakRssBytes: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)[1]) * 1024,
  }
}

async function answers(url, child) {
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) break
    const answer = await fetch(url).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the server did not come up')
}

/** A server of the system, as a process of its own, ready for requests. */
export async function startServer(system, folder) {
  const port = await freePort()
  const [script, ...args] = system.server(folder, port)
  // A folder that is given is the working directory too: what a server leaves beside its data goes with it.
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await answers(`http://127.0.0.1:${port}/health`, child)
  const before = costOf(child.pid)
  return {
    url: system.urlOf(port),
    /** What it cost since it was ready. */
    cost() {
      const now = costOf(child.pid)
      return { cpuSeconds: now.cpuSeconds - before.cpuSeconds, peakRssBytes: now.peakRssBytes }
    },
    async stop() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      // Its data is thrown away.
      child.kill('SIGKILL')
      await ended
    },
  }
}
