import { execFile } from 'node:child_process'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { open } from '@mynah/core'
import { expect, test } from 'vitest'
import { ready, run } from './child.js'
import { temporaryFolder } from './fixture.js'

/** The script of the operator's page, to be run as it stands there. */
async function backupScript(): Promise<string> {
  const page = await readFile(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8')
  const path = join(await temporaryFolder(), 'mynah-backup')
  await writeFile(path, /^```sh\n(#!\/bin\/sh\n# mynah-backup .*?)^```$/ms.exec(page)![1]!)
  await chmod(path, 0o755)
  return path
}

/** Text that does not compress, so that shards fill, are sealed, and take their hot files with them. */
function noise(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(3_000))).toString('base64')
}

test('a copy that is made while a mirror writes, seals and compacts holds all that was acknowledged before', async () => {
  const data = await temporaryFolder()
  const script = await backupScript()
  const { origin } = await ready(run(['serve', '--data', data, '--port', '0', '--create', 'a']))
  const acknowledged = new Map<string, number>()
  let writing = true
  const write = async (writer: number) => {
    for (let n = 0; writing; n++) {
      const id = `${writer}/${n % 200}`
      const docs = Array.from({ length: 20 }, (_, k) =>
        JSON.stringify({ id: `${id}/${k}`, n, text: noise() }),
      )
      const answer = await fetch(`${origin}/v1/a/docs?overwrite=true`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: docs.join('\n'),
      })
      if (answer.status !== 200) throw new Error(await answer.text())
      await answer.text()
      for (let k = 0; k < 20; k++) acknowledged.set(`${id}/${k}`, n)
      // The script goes round until nothing is sealed while it copies.
      await sleep(100)
    }
  }
  const writers = [write(0), write(1)]
  const copy = join(await temporaryFolder(), 'a')
  const filesSeen = new Set<string>()
  for (let round = 0; round < 2; round++) {
    const enough = acknowledged.size + 300
    while (acknowledged.size < enough) await new Promise((resolve) => setImmediate(resolve))
    const before = new Map(acknowledged)
    if (round === 1) void fetch(`${origin}/v1/a/compact`, { method: 'POST' }).then((answer) => answer.text())
    await promisify(execFile)(script, [join(data, 'a'), copy])
    for (const name of await readdir(copy)) filesSeen.add(name)
    // Opened as a copy of the copy, as the next round goes on with this one.
    const restored = join(await temporaryFolder(), 'a')
    await promisify(execFile)('cp', ['-r', copy, restored])
    const database = await open(restored, { mode: 'mirror' })
    try {
      expect(await database.verify()).toMatchObject({ findings: [] })
      const ids = [...before.keys()]
      const found = await database.getMany<{ n: number }>(ids, { freshness: 'local' })
      const missing = ids.filter((id, index) => (found[index]?.n ?? -1) < before.get(id)!)
      expect(missing).toEqual([])
      expect((await database.put({ id: 'after', ok: true })).rev).toMatch(/^1-/)
    } finally {
      await database.close()
      await rm(restored, { recursive: true })
    }
  }
  writing = false
  await Promise.all(writers)
  // Else nothing was shown of what changes under a copy.
  expect([...filesSeen].filter((name) => name.startsWith('hot-')).length).toBeGreaterThan(1)
}, 120_000)
