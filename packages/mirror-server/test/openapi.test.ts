import { Ajv2020 } from 'ajv/dist/2020.js'
import fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { mirror } from '../src/index.js'
import { startMirror, temporaryFolder } from './fixture.js'

interface Media {
  readonly schema: { readonly [keyword: string]: unknown; readonly title?: string; readonly format?: string }
  readonly example?: unknown
}
interface Operation {
  readonly tags: readonly string[]
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly example?: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>
}
interface Description {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })

async function described(origin: string): Promise<Description> {
  return (await (await fetch(`${origin}/openapi.json`)).json()) as Description
}

/** The operations, each with every example of a body that it has. */
function* examplesOf({ paths }: Description) {
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      const bodies = Object.entries(operation.requestBody?.content ?? {}).filter(
        ([, { example }]) => example !== undefined,
      )
      if (bodies.length === 0) yield { name: `${method} ${path}`, method, path, operation, body: undefined }
      for (const body of bodies) yield { name: `${method} ${path} ${body[0]}`, method, path, operation, body }
    }
}

type Example = ReturnType<typeof examplesOf> extends Generator<infer E> ? E : never

async function run(origin: string, { method, path, operation, body }: Example): Promise<Response> {
  const { parameters = [] } = operation
  let filled = path
  const query = new URLSearchParams()
  const headers: Record<string, string> = {}
  for (const { in: where, name, example } of parameters) {
    if (example === undefined) continue
    if (where === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(example))
    else if (where === 'query') query.append(name, example)
    else headers[name] = example
  }
  expect(filled).not.toContain('{')
  const sent = body && bytesOf(body)
  return await fetch(`${origin}${filled}?${query}`, {
    method: method.toUpperCase(),
    headers: { ...headers, ...(body && { 'content-type': body[0].replace('*/*', 'text/plain') }) },
    ...(sent && { body: sent }),
  })
}

function bytesOf([type, { schema, example }]: readonly [string, Media]): Uint8Array<ArrayBuffer> {
  if (schema.format === 'byte') return new Uint8Array(Buffer.from(String(example), 'base64'))
  return new TextEncoder().encode(type === 'application/json' ? JSON.stringify(example) : String(example))
}

/** Whether the answer is what the operation says of its status and type. */
async function check({ name, operation, path }: Example, response: Response, schemas: object): Promise<void> {
  const answer = operation.responses[response.status]
  expect([name, response.status, answer !== undefined && response.status < 400]).toEqual([
    name,
    response.status,
    true,
  ])
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!
  if (answer!.content === undefined) return expect([name, await response.text()]).toEqual([name, ''])
  const media = answer!.content[type] ?? answer!.content['*/*']
  expect([name, type, media !== undefined]).toEqual([name, type, true])
  if (path.endsWith('/live')) return void (await response.body!.cancel())
  const text = await response.text()
  if (type !== 'application/json' && media!.schema.title === undefined) return
  const validate = ajv.compile({ ...media!.schema, components: { schemas } })
  const lines = media!.schema.title === undefined ? [text] : text.split('\n').filter(Boolean)
  for (const line of lines)
    expect([name, line.slice(0, 200), validate(JSON.parse(line)), validate.errors]).toEqual([
      name,
      line.slice(0, 200),
      true,
      null,
    ])
}

describe('the description', () => {
  test('has every route, and each of its examples is answered as it says', async () => {
    const { origin } = await startMirror()
    const description = await described(origin)
    expect(description.openapi).toMatch(/^3\.1/)
    const json = { 'content-type': 'application/json' }
    let ran = 0
    for (const example of examplesOf(description)) {
      await fetch(`${origin}/v1/notes`, { method: 'PUT' })
      for (const id of ['note/1', 'note/5'])
        await fetch(`${origin}/v1/notes/docs/${id}?overwrite=true`, {
          method: 'PUT',
          headers: json,
          body: `{"text":"${id}"}`,
        })
      await fetch(`${origin}/kv/note/1`, { method: 'PUT', body: 'value' })
      const response = await run(origin, example)
      await check(example, response, description.components.schemas)
      await fetch(`${origin}/v1/notes`, { method: 'DELETE' })
      ran += 1
    }
    expect(ran).toBeGreaterThan(30)
  })

  test('is of all routes that the mirror has, wherever it is mounted', async () => {
    const routes = new Set<string>()
    const server = fastify()
    server.addHook('onRoute', ({ method, url, config }) => {
      for (const one of [method].flat())
        if (one !== 'HEAD' && one !== 'OPTIONS' && config?.right !== undefined) routes.add(`${one} ${url}`)
    })
    await server.register(mirror, { data: await temporaryFolder(), prefix: '/below' })
    await server.ready()
    const { paths } = (await server.inject('/below/openapi.json')).json<Description>()
    const told = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(
        (method) =>
          `${method.toUpperCase()} ${path.replaceAll(/\{(id|key)\}/g, '*').replaceAll(/\{(.*?)\}/g, ':$1')}`,
      ),
    )
    // The others are answers to methods that a path does not have, and the page.
    for (const route of told) expect(routes).toContain(route)
    for (const route of routes) {
      const [method, url] = route.split(' ') as ['GET', string]
      if (told.includes(route) || url.startsWith('/below/openapi')) continue
      const answer = await server.inject({ method, url: url.replace(':db', 'none').replace('*', 'x') })
      expect([route, answer.statusCode]).toEqual([route, 405])
    }
    await server.close()
  })

  test('comes with a page that tries it, with nothing from elsewhere', async () => {
    const { origin } = await startMirror([], { token: 'secret' })
    const page = await fetch(`${origin}/openapi/`)
    const html = await page.text()
    expect([page.status, page.headers.get('content-security-policy')]).toEqual([
      200,
      expect.stringContaining("default-src 'self'"),
    ])
    const parts = [...html.matchAll(/(?:src|href)="(.*?)"/g)].map(([, url]) => url!)
    expect(parts.length).toBeGreaterThan(3)
    for (const part of parts) {
      const found = await fetch(new URL(part, `${origin}/openapi/`))
      expect([part, found.status, (await found.arrayBuffer()).byteLength > 0]).toEqual([part, 200, true])
    }
  })
})

test('what the description says of a query is checked', async () => {
  const { origin } = await startMirror(['a'])
  for (const query of ['limit=0', 'limit=1e3', 'reverse=yes', 'missing=all', 'gt=a&gt=b']) {
    const answer = await fetch(`${origin}/v1/a/docs?${query}`)
    expect([query, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      query,
      400,
      'MYNAH_MESSAGE_INVALID',
    ])
  }
})
