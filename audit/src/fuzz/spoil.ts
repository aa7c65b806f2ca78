import { gzipSync } from 'node:zlib'
import type { Random } from '../random.js'
import type { ValidRequest } from './valid-requests.js'

/** What somebody who means harm, or has a broken client, puts where text is expected. */
const texts = [
  '',
  '.',
  '..',
  '../../etc/passwd',
  '%',
  '%2e%2e%2f',
  '%zz',
  '%00',
  '%ff%fe',
  '__proto__',
  'constructor',
  'a//b///',
  '_design/x',
  '💥'.repeat(10),
  'x'.repeat(1_025),
  'x'.repeat(9_000),
  'NaN',
  '-1',
  '1e309',
  '99999999999999999999',
  'true',
  "'; DROP TABLE--",
  '\u202e',
  'null',
  '*',
]
const values: readonly unknown[] = [
  null,
  true,
  -0,
  1e308,
  2 ** 53,
  '',
  '\u0000',
  '\ud800',
  [],
  {},
  { $date: 'never' },
  { $bytes: '?' },
  { $bigint: '9'.repeat(2_000) },
  { $x: { $y: 1 } },
  { toJSON: 1, valueOf: 1, ['__proto__']: 1 },
]
const headerNames = [
  'accept',
  'content-type',
  'if-match',
  'if-none-match',
  'content-encoding',
  'accept-encoding',
  'last-event-id',
  'range',
  'expect',
  'transfer-encoding',
  'content-length',
  'authorization',
  'mynah-database',
  'mynah-checksum',
  'x-http-method-override',
  'connection',
  'upgrade',
  'origin',
  'host',
]
const headerValues = [
  '',
  '*',
  '*/*',
  'text/html',
  'application/json',
  'application/msgpack;q=0',
  'application/x-ndjson',
  '"1-0123456789abcdef0123456789abcdef"',
  'W/"x", "y"',
  'gzip',
  'gzip;q=0, *',
  'chunked',
  '0',
  '-1',
  '999999999999',
  '1e3',
  '100-continue',
  'close',
  'websocket',
  'Bearer x',
  'bytes=0-1',
  '\u00ff',
  'a,'.repeat(500),
]
/** With these the other side may take the body for longer or shorter than it is. */
const oddFraming = ['transfer-encoding', 'expect', 'upgrade']
const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'get',
  'FOO',
]

/** The bytes of a request, spoilt in one way or a few; not `whole` where the other side may wait for more of it. */
export function spoil(
  request: ValidRequest,
  random: Random,
): { readonly bytes: Uint8Array; readonly whole: boolean } {
  let { method, target, body } = request
  const headers = new Map(Object.entries(request.headers))
  for (let times = random.between(0, 3); times > 0; times--) {
    switch (random.below(8)) {
      case 0:
        method = random.pick(methods)
        break
      case 1:
        target = spoilTarget(target, random)
        break
      case 2:
        headers.set(random.pick(headerNames), random.pick(headerValues))
        break
      case 3:
        headers.delete(random.pick([...headers.keys(), 'none']))
        break
      default:
        body = spoilBody(body, headers.get('content-type') ?? '', random)
    }
  }
  if (body.length > 0 && !headers.has('content-length') && !headers.has('transfer-encoding'))
    headers.set('content-length', String(body.length))
  if (!headers.has('host')) headers.set('host', 'mirror')
  if (!headers.has('connection')) headers.set('connection', 'close')
  const head = [`${method} ${target} HTTP/1.1`, ...[...headers].map(([name, value]) => `${name}: ${value}`)]
  const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  if (random.chance(0.2)) return { bytes: spoilBytes(bytes, random), whole: false }
  const isFramed = headers.get('content-length') === (body.length === 0 ? undefined : String(body.length))
  return { bytes, whole: isFramed && !oddFraming.some((name) => headers.has(name)) }
}

function spoilTarget(target: string, random: Random): string {
  const [path = '', query = ''] = target.split('?')
  const text = random.pick(texts)
  const raw = random.chance(0.5)
    ? encodeURI(text.toWellFormed())
    : [...text].filter((one) => one > ' ' && one < '\u007f').join('')
  switch (random.below(4)) {
    case 0: {
      const parts = path.split('/')
      parts[random.below(parts.length)] = raw
      return `${parts.join('/')}?${query}`
    }
    case 1:
      return `${path}/${raw}?${query}`
    case 2:
      return `${path}?${query}&${random.pick(['limit', 'since', 'prefix', 'gt', 'live', 'rev', 'details', 'bytes', 'holds', 'repair'])}=${raw}`
    default:
      return new TextDecoder('latin1')
        .decode(spoilBytes(Buffer.from(target), random))
        .replaceAll(/[\r\n ]/g, '+')
  }
}

function spoilBody(body: Uint8Array, type: string, random: Random): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return type === 'application/json' ? spoilJson(body, random) : spoilBytes(body, random)
    case 1: {
      const depth = random.between(90, 20_000)
      const nested = { 'application/msgpack': ['\x91', '\xc0', ''], 'application/json': ['{"a":', '1', '}'] }[
        type
      ] ?? ['[', '', ']']
      return Buffer.from(nested[0]!.repeat(depth) + nested[1]! + nested[2]!.repeat(depth), 'latin1')
    }
    case 2:
      return gzipSync(Buffer.alloc(random.between(0, 1_000_000)))
    case 3: {
      // A length that is not there: what a decoder may believe.
      const huge = Buffer.from(body)
      if (huge.length > 0)
        huge.set(
          random
            .pick([
              [0xdd, 0xff, 0xff, 0xff, 0xff],
              [0xc6, 0x7f, 0xff, 0xff, 0xff],
              [0xdf, 0x0f, 0, 0, 0],
              [0xff, 0xff, 0xff, 0xff],
            ])
            .slice(0, huge.length),
          0,
        )
      return huge
    }
    case 4:
      return random.chance(0.1) ? Buffer.alloc(random.between(1_000_000, 17_000_000), 'x') : new Uint8Array(0)
    default:
      return spoilBytes(body, random)
  }
}

/** One member of what the JSON holds becomes something else. */
function spoilJson(body: Uint8Array, random: Random): Uint8Array {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    const members =
      typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : { value }
    const more = [random.pick(texts), random.pick(values)] as const
    const text = JSON.stringify(Object.fromEntries([...Object.entries(members), more]))
    if (random.chance(0.5)) return Buffer.from(text)
    const name = random.pick(['id', 'rev', '_id', '$date', '__proto__'])
    return Buffer.from(text.replace('{', () => `{"${name}":${JSON.stringify(random.pick(values))},`))
  } catch {
    // It was spoilt before, or is too deep to be taken apart here.
    return spoilBytes(body, random)
  }
}

/** Flips, drops, doubles, inserts or cuts. */
function spoilBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return random.bytes(random.below(64))
  const at = random.below(bytes.length)
  const some = random.between(1, Math.min(16, bytes.length))
  switch (random.below(5)) {
    case 0: {
      const flipped = new Uint8Array(bytes)
      flipped[at] = flipped[at]! ^ (1 << random.below(8))
      return flipped
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + some)])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + some), bytes.subarray(at)])
    case 3:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(some), bytes.subarray(at)])
    default:
      return bytes.subarray(0, at)
  }
}
