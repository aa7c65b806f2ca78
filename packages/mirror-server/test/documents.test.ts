import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureOf, push, startMirror, startPeer } from './fixture.js'

describe('documents', () => {
  test('are read as tagged JSON, with their rev as a tag of their own', async () => {
    const { origin } = await startMirror(['a'])
    const { database, replica } = await startPeer([
      { id: 'x', at: new Date(5), raw: new Uint8Array([255]), big: 7n, $m: 1 },
    ])
    await push(`${origin}/v1/a`, replica)
    const { rev } = (await database.get('x'))!
    const response = await fetch(`${origin}/v1/a/docs/x`)
    expect(response.headers.get('etag')).toBe(`"${rev}"`)
    expect(await response.json()).toEqual({
      id: 'x',
      rev,
      at: { $date: '1970-01-01T00:00:00.005Z' },
      raw: { $bytes: '/w==' },
      big: { $bigint: '7' },
      $$m: 1,
    })
    for (const tags of [`"${rev}"`, `"1-no", W/"${rev}"`, '*']) {
      const unchanged = await fetch(`${origin}/v1/a/docs/x`, { headers: { 'if-none-match': tags } })
      expect([unchanged.status, await unchanged.text()]).toEqual([304, ''])
    }
    const changed = await fetch(`${origin}/v1/a/docs/x`, { headers: { 'if-none-match': '"1-no"' } })
    expect(changed.status).toBe(200)
  })

  test('that never were, and that are deleted, are told apart', async () => {
    const { origin } = await startMirror(['a'])
    const { database, replica } = await startPeer([{ id: 'x' }])
    await database.delete('x')
    await push(`${origin}/v1/a`, replica)
    expect(await failureOf(await fetch(`${origin}/v1/a/docs/x`))).toEqual([410, 'MYNAH_DOCUMENT_DELETED'])
    expect(await failureOf(await fetch(`${origin}/v1/a/docs/y`))).toEqual([404, 'MYNAH_DOCUMENT_UNKNOWN'])
  })

  test('of every id are reached, with slashes raw or encoded', async () => {
    const { origin } = await startMirror(['a'])
    const id = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => text.isWellFormed() && !text.startsWith('_') && !/\p{Cc}/u.test(text))
    const special = [
      'a/b',
      '/',
      '//',
      'a//b/',
      '%',
      '%2F',
      '%25',
      'a?b#c',
      '.',
      '..',
      'a/../b',
      ';',
      '+ &=',
      'ü/€/😀',
    ]
    const long = ['x'.repeat(1_024), '😀'.repeat(256), '/'.repeat(1_024), '%'.repeat(1_024)]
    const ids = [...new Set([...special, ...long, ...fc.sample(id, { numRuns: 100, seed: 7 })])]
    const { replica } = await startPeer(ids.map((one) => ({ id: one })))
    await push(`${origin}/v1/a`, replica)
    for (const one of ids) {
      const encoded = encodeURIComponent(one)
      // A URL cannot hold a whole segment of dots, however it is written: clients take it away.
      if (one === '.' || one === '..') continue
      for (const path of new Set([encoded, one.includes('..') ? encoded : encoded.replaceAll('%2F', '/')])) {
        const response = await fetch(`${origin}/v1/a/docs/${path}`)
        expect([path, response.status, ((await response.json()) as { id: string }).id]).toEqual([
          path,
          200,
          one,
        ])
      }
    }
  })
})
