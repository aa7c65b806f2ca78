import { type Documents, type MynahError, nodeEnv } from '@mynah/core'
import { connect, type Transport } from '@mynah/replication'
import { wireLimits } from '@mynah/replication/protocol'
import { expect, test } from 'vitest'

const PIECE = new Uint8Array(1024 * 1024).fill(0x20)

const GREETING = JSON.stringify({
  name: 'db',
  id: '0'.repeat(32),
  mode: 'mirror',
  protocol: 1,
  position: `${'0'.repeat(32)}.0`,
  documents: 0,
  owes: 0,
  limits: { requestBytes: 16777216, batchRecords: 4096 },
})

/** Somebody who greets as a mirror does, and then answers with these bytes, whatever is asked. */
function answering(pieces: readonly (string | Uint8Array)[], type: string): Transport {
  const encoder = new TextEncoder()
  const parts = pieces.map((piece) => (typeof piece === 'string' ? encoder.encode(piece) : piece))
  const headers = { 'content-type': type }
  let greeted = false
  return {
    request: async () => {
      const isGreeting = !greeted
      greeted = true
      if (isGreeting)
        return {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: encoder.encode(GREETING),
        }
      return { status: 200, headers, body: parts[0]! }
    },
    stream: async () => ({
      status: 200,
      headers,
      body: (async function* () {
        yield* parts
      })(),
    }),
    close: async () => undefined,
  }
}

async function failed(
  pieces: readonly (string | Uint8Array)[],
  type: string,
  run: (documents: Documents) => Promise<unknown>,
): Promise<string> {
  const documents = await connect('http://mirror/v1/db', { transport: answering(pieces, type), env: nodeEnv })
  try {
    await run(documents)
    return 'nothing failed'
  } catch (error) {
    return (error as MynahError).code
  } finally {
    await documents.close()
  }
}

test('a greeting that is none is no mirror, whatever its status and type say', async () => {
  const transport: Transport = {
    ...answering([], 'application/json'),
    request: async () => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode('{}'),
    }),
  }
  await expect(connect('http://mirror/v1/db', { transport })).rejects.toMatchObject({
    code: 'MYNAH_MIRROR_ANSWER',
  })
})

test('lines that are no changes are no answer of a mirror, however long', async () => {
  const endless = Array.from({ length: wireLimits.shardBytes / PIECE.length + 1 }, () => PIECE)
  for (const pieces of [
    endless,
    ['{\n'],
    ['[]\n'],
    ['"x"\n'],
    ['{"code":1}\n'],
    ['{"$x":1}\n'],
    ['{"seq":1}\n'],
  ])
    expect(
      await failed(pieces, 'application/x-ndjson', async (documents) => {
        for await (const _ of documents.changes()) break
      }),
    ).toBe('MYNAH_MIRROR_ANSWER')
})

test('outcomes and counts that are none are no answer of a mirror', async () => {
  for (const line of ['{\n', '[]\n', '{"ok":1}\n', '{"ok":true}\n', '{"ok":false}\n', '']) {
    const code = await failed([line], 'application/x-ndjson', async (documents) => {
      const [outcome] = await documents.putMany([{ id: 'a' }])
      if (outcome?.ok === false) throw outcome.error
    })
    expect([line, code]).toEqual([line, 'MYNAH_MIRROR_ANSWER'])
  }
  for (const json of ['{}', '[]', '{', '{"documents":-1}'])
    expect(await failed([json], 'application/json', (documents) => documents.count())).toBe(
      'MYNAH_MIRROR_ANSWER',
    )
})
