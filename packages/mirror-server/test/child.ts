import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))

/** Starts the built command. */
export function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [cli, ...args], { env: { ...process.env, MYNAH_TOKEN: '', ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** Runs to its end: exit code and what it said, besides its log. */
export async function finish(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; said: string }> {
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (!chunk.toString().startsWith('{')) said += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => (said += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said }
}

/** The line that says that it is ready, and the address in it. */
export async function ready(
  child: ChildProcessWithoutNullStreams,
): Promise<{ message: string; origin: string }> {
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg } = JSON.parse(line) as { msg: string }
    const origin = /ready at (http:\S+),/.exec(msg)?.[1]
    if (origin !== undefined) return { message: msg, origin }
  }
  throw new Error('it ended before it was ready')
}
