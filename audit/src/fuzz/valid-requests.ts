/** A request that a mirror answers as its description says, and that is to be spoilt. */
export interface ValidRequest {
  /** As in `PUT /v1/{db}/docs/{id}`. */
  readonly name: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Statuses that its operation documents. */
  readonly statuses: ReadonlySet<number>
}

interface Media {
  readonly schema: { readonly format?: string }
  readonly example?: unknown
}

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly example?: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, unknown>>
}

export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** `{text:"hello"}` and what msgpack has besides, as nothing else of the description is in it. */
const MSGPACK = Buffer.from(
  '86a474657874a568656c6c6fa26174d7ff000000006540000 0a3626967cf8000000000000000a4726177c4020102a16ecb3ff8000000000000a46c69737493c0c381a16101'.replaceAll(
    ' ',
    '',
  ),
  'hex',
)

/** Every operation of a mirror's own description, with each example of a body. */
export function validRequests({ paths }: Description): readonly ValidRequest[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      requestsOf(path, method.toUpperCase(), operation),
    ),
  )
}

function requestsOf(path: string, method: string, operation: Operation): readonly ValidRequest[] {
  const headers: Record<string, string> = {}
  const query = new URLSearchParams()
  let target = path
  for (const { in: where, name, example } of operation.parameters ?? []) {
    if (example === undefined) continue
    if (where === 'path') target = target.replace(`{${name}}`, encodeURIComponent(example))
    else if (where === 'query') query.append(name, example)
    else headers[name] = example
  }
  if (query.size > 0) target += `?${query}`
  const statuses = new Set(Object.keys(operation.responses).map(Number))
  const request = { name: `${method} ${path}`, method, target, statuses }
  const bodies = Object.entries(operation.requestBody?.content ?? {})
  if (bodies.length === 0) return [{ ...request, headers, body: new Uint8Array(0) }]
  return bodies.map(([type, media]) => ({
    ...request,
    headers: { ...headers, 'content-type': type === '*/*' ? 'text/plain' : type },
    body: bodyOf(type, media),
  }))
}

function bodyOf(type: string, { schema, example }: Media): Uint8Array {
  if (example === undefined) return MSGPACK
  if (schema.format === 'byte') return Buffer.from(String(example), 'base64')
  return Buffer.from(type === 'application/json' ? JSON.stringify(example) : String(example))
}
