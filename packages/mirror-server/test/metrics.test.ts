import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { startMirror } from './fixture.js'

/** The samples of a scrape, by name and labels as they are written. */
async function scrape(
  origin: string,
  token?: string,
): Promise<{ readonly text: string; readonly samples: ReadonlyMap<string, number> }> {
  const response = await fetch(
    `${origin}/metrics`,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  )
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/plain; version=0.0.4'),
  ])
  const text = await response.text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return {
    text,
    samples: new Map(
      lines.map((line) => [
        line.slice(0, line.lastIndexOf(' ')),
        Number(line.slice(line.lastIndexOf(' ') + 1)),
      ]),
    ),
  }
}

const json = { 'content-type': 'application/json' }

describe('the figures', () => {
  test('tell of databases, requests, refusals and who pulls', async () => {
    const { origin } = await startMirror(['a', 'b'])
    for (const id of ['x', 'y'])
      await fetch(`${origin}/v1/a/docs/${id}`, { method: 'PUT', headers: json, body: '{}' })
    await fetch(`${origin}/v1/a/docs/none`)
    await fetch(`${origin}/v1/a/no/such/route/${'x'.repeat(50)}`)
    await (await fetch(`${origin}/v1/a/records?bodies=1`)).arrayBuffer()
    const { samples, text } = await scrape(origin)
    const expected: Record<string, number> = {
      'mynah_documents{database="a"}': 2,
      'mynah_documents{database="b"}': 0,
      'mynah_head_seq{database="a"}': 2,
      'mynah_commits_total{database="a"}': 2,
      'mynah_peer_lag_records{database="a",token="none"}': 2,
      'mynah_rejected_total{code="MYNAH_DOCUMENT_UNKNOWN"}': 1,
      'mynah_request_seconds_count{method="PUT",route="/v1/:db/docs/*",status="201"}': 2,
      'mynah_request_seconds_count{method="GET",route="none",status="404"}': 1,
    }
    for (const [sample, value] of Object.entries(expected))
      expect([sample, samples.get(sample)]).toEqual([sample, value])
    expect(samples.get('mynah_disk_free_bytes')).toBeGreaterThan(0)
    expect(samples.get('mynah_commit_seconds_total{database="a"}')).toBeGreaterThan(0)
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(text).not.toContain('such')
  })

  test('are of the databases that the token reaches', async () => {
    const { origin } = await startMirror(['a', 'b'], {
      token: 'all',
      tokens: [{ token: 'some', databases: ['b'], can: ['read'] }],
    })
    expect((await fetch(`${origin}/metrics`)).status).toBe(401)
    expect((await scrape(origin, 'all')).text).toContain('database="a"')
    const { text } = await scrape(origin, 'some')
    expect([text.includes('database="a"'), text.includes('database="b"')]).toEqual([false, true])
  })

  test('are what the dashboard asks for', async () => {
    const { origin } = await startMirror(['a'])
    const { text } = await scrape(origin)
    const names = new Set(
      [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name, type]) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name!],
      ),
    )
    const dashboard = JSON.parse(readFileSync(new URL('../grafana/mynah.json', import.meta.url), 'utf8')) as {
      readonly panels: readonly {
        readonly type: string
        readonly title: string
        readonly targets?: readonly { readonly expr: string }[]
      }[]
      readonly templating: { readonly list: readonly { readonly query: string }[] }
    }
    const shown = dashboard.panels.filter(({ type }) => type !== 'row')
    const queries = [
      ...shown.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...dashboard.templating.list.map(({ query }) => query),
    ]
    const asked = new Set(queries.flatMap((query) => query.match(/\b(?:mynah|process)_[a-z_]+/g) ?? []))
    expect(shown.length).toBeGreaterThan(15)
    for (const name of asked) expect(names).toContain(name)
    for (const { title, targets = [] } of shown) expect([title, targets.length > 0]).toEqual([title, true])
  })
})
