import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fields } from '../../src/codec/value.js'
import { canonicalBytes } from '../../src/document/canonical.js'
import { acceptBody, acceptDocument, acceptId, acceptRev, copyFields } from '../../src/document/validate.js'
import { DocumentInvalidError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import { disguise, fields, meaning, shared } from './arbitrary.js'

function refusalOf(run: () => unknown): DocumentInvalidError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(DocumentInvalidError)
    return error as DocumentInvalidError
  }
  throw new Error('nothing was refused')
}

const refusal = (doc: unknown) => refusalOf(() => acceptDocument(doc))

/** A document with so many levels, itself included. */
function nested(levels: number, arrays: boolean): Fields {
  let doc: Fields = {}
  for (let i = 1; i < levels; i += arrays ? 2 : 1) doc = { a: arrays ? [doc] : doc }
  return doc
}

describe('what is accepted', () => {
  test('keeps its meaning and shares nothing with what was given', () => {
    const named = fields.filter((body) => !Object.hasOwn(body, 'id'))
    fc.assert(
      fc.property(named, (doc) => {
        const given = disguise(doc)
        const { body } = acceptDocument(given)
        expect(meaning(body)).toBe(meaning(doc))
        expect(shared(body, given)).toEqual([])
        expect(meaning(acceptBody(doc))).toBe(meaning(doc))
      }),
    )
  })

  test('gives id and rev apart from the body', () => {
    expect(acceptDocument({ id: 'a', rev: '1-x', n: 1 })).toEqual({ id: 'a', rev: '1-x', body: { n: 1 } })
    expect(acceptDocument({ rev: '1-x' })).toEqual({ rev: '1-x', body: {} })
    expect(acceptDocument({ id: undefined, rev: undefined })).toEqual({ body: {} })
    expect(acceptDocument({ inner: { id: 1, rev: 2 } })).toEqual({ body: { inner: { id: 1, rev: 2 } } })
  })

  test('has no undefined members, no minus zero and no prototype of its own', () => {
    const given = Object.assign(Object.create(null), { a: undefined, b: -0, c: { d: undefined } })
    const { body } = acceptDocument(given)
    expect(Object.keys(body)).toEqual(['b', 'c'])
    expect(Object.is(body.b, 0)).toBe(true)
    expect(body.c).toEqual({})
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
  })

  test('takes own enumerable string members only', () => {
    const given = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3, enumerable: false })
    expect(Reflect.ownKeys(acceptDocument(given).body)).toEqual(['a'])
  })

  test('keeps a member named __proto__ as an own member', () => {
    const given = JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":1}}') as Fields
    const { body } = acceptDocument(given)
    for (const copy of [body, copyFields(body), acceptBody(body)]) {
      expect(Object.keys(copy)).toEqual(['__proto__', 'a'])
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
      expect(Object.hasOwn(copy.a as object, '__proto__')).toBe(true)
    }
    expect('polluted' in {}).toBe(false)
  })

  test('has bytes as plain Uint8Arrays and dates as plain Dates', () => {
    class Stamp extends Date {}
    const buffer = Buffer.from('abc')
    const { body } = acceptDocument({ buffer, stamp: new Stamp(5) })
    expect(Object.getPrototypeOf(body.buffer)).toBe(Uint8Array.prototype)
    expect((body.buffer as Uint8Array).buffer.byteLength).toBe(3)
    expect(Object.getPrototypeOf(body.stamp)).toBe(Date.prototype)
    buffer[0] = 0
    expect(body.buffer).toEqual(new Uint8Array(Buffer.from('abc')))
  })

  test('was read once, also through getters that change their mind', () => {
    let reads = 0
    const given = {
      get value() {
        reads++
        return reads === 1 ? 1 : Number.NaN
      },
    }
    expect(acceptDocument(given).body).toEqual({ value: 1 })
    expect(reads).toBe(1)
  })

  test('may be accepted while another document is', () => {
    const given = {
      a: {
        get inner() {
          expect(refusal({ x: { y: Number.NaN } }).path).toBe('x.y')
          return { bad: Symbol('s') }
        },
      },
    }
    expect(refusal(given).path).toBe('a.inner.bad')
  })

  test('goes down to the limit of depth', () => {
    for (const arrays of [false, true]) acceptDocument(nested(limits.depth - (arrays ? 1 : 0), arrays))
  })
})

describe('what is refused', () => {
  class Point {
    x = 1
  }
  const loop: unknown[] = []
  loop.push(loop)
  const wide: { [name: string]: unknown } = {}
  wide.a = wide.b = wide

  test.each([
    ['undefined in an array', { a: [1, undefined] }, 'a[1]'],
    ['a hole in an array', { a: new Array(4_000_000_000) }, 'a[0]'],
    ['NaN', { a: { b: [0, Number.NaN] } }, 'a.b[1]'],
    ['infinity', { a: Number.NEGATIVE_INFINITY }, 'a'],
    ['a function', { a: () => 1 }, 'a'],
    ['a symbol', { a: Symbol('s') }, 'a'],
    ['a Map', { a: new Map() }, 'a'],
    ['a Set', { a: [new Set()] }, 'a[0]'],
    ['a RegExp', { a: /x/ }, 'a'],
    ['an Error', { a: new Error('x') }, 'a'],
    ['a promise', { a: Promise.resolve(1) }, 'a'],
    ['a boxed string', { a: Object('x') }, 'a'],
    ['another typed array', { a: new Float64Array(1) }, 'a'],
    ['an ArrayBuffer', { a: new ArrayBuffer(1) }, 'a'],
    ['an instance of a class', { points: [{}, new Point()] }, 'points[1]'],
    ['an invalid date', { a: new Date(Number.NaN) }, 'a'],
    ['what claims to be a date', { a: Object.create(Date.prototype) }, 'a'],
    ['what claims to be bytes', { a: Object.create(Uint8Array.prototype) }, 'a'],
    ['half a surrogate pair', { a: 'x\ud800' }, 'a'],
    ['an ill-formed name', { a: { '\udc00': 1 } }, 'a["\\udc00"]'],
    ['a name that is no word', { 'odd name': { 'x.y': Number.NaN } }, '["odd name"]["x.y"]'],
    ['a long name', { ['x'.repeat(1_000_000)]: Number.NaN }, `["${'x'.repeat(64)}"]`],
  ])('%s', (_, doc, path) => {
    expect(refusal(doc).path).toBe(path)
  })

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'x'],
    ['an array', []],
    ['a function', () => 1],
    ['a Date', new Date()],
    ['an instance of a class', new Point()],
  ])('as a document: %s', (_, doc) => {
    expect(refusal(doc)).toMatchObject({ path: '', code: 'MYNAH_DOCUMENT_INVALID' })
    expect(refusalOf(() => acceptBody(doc)).path).toBe('')
  })

  test('depth past the limit, and circles', () => {
    for (const arrays of [false, true]) {
      const error = refusal(nested(limits.depth + 1, arrays))
      expect(error.detail).toMatch(/deeper/)
      expect(error.path.match(/a/g)).toHaveLength(arrays ? 50 : 100)
    }
    expect(refusal({ loop }).detail).toMatch(/deeper/)
    expect(refusal(wide).detail).toMatch(/deeper/)
  })

  test('id and rev in a body', () => {
    expect(refusalOf(() => acceptBody({ id: 'a' })).path).toBe('id')
    expect(refusalOf(() => acceptBody({ rev: null })).path).toBe('rev')
    acceptBody({ inner: { id: 1 } })
  })

  test('an id or rev that is none', () => {
    expect(refusal({ id: 7 }).path).toBe('id')
    expect(refusal({ id: null }).path).toBe('id')
    expect(refusal({ id: 'a', rev: '0-x' }).path).toBe('rev')
    expect(refusal({ id: 'a', rev: 7 }).path).toBe('rev')
  })
})

describe('the limit of a body', () => {
  /** A body of exactly so many canonical bytes. */
  const sized = (bytes: number, unit: string, unitBytes: number): Fields => {
    const half = Math.floor(limits.bodyBytes / 2 / unitBytes)
    const overhead = canonicalBytes({ a: '', s: unit.repeat(half) }).length - half * unitBytes
    const room = bytes - overhead
    const count = Math.floor(room / unitBytes)
    return { a: 'x'.repeat(room - count * unitBytes), s: unit.repeat(count) }
  }

  test.each([
    ['a', 1],
    ['é', 2],
    ['世', 3],
    ['😀', 4],
  ])('is exact in bytes of %s', (unit, unitBytes) => {
    expect(canonicalBytes(acceptDocument(sized(limits.bodyBytes, unit, unitBytes)).body).length).toBe(
      limits.bodyBytes,
    )
    expect(refusal(sized(limits.bodyBytes + 1, unit, unitBytes)).detail).toMatch(/larger than/)
  })

  test.each([
    ['bytes', () => new Uint8Array(limits.bodyBytes)],
    ['text', () => 'x'.repeat(limits.bodyBytes)],
    ['a bigint', () => 1n << BigInt(8 * limits.bodyBytes)],
    ['a bigint past every other bound', () => 1n << BigInt(2 ** 29)],
    ['a name', () => ({ ['x'.repeat(limits.bodyBytes)]: 1 })],
    ['many small values', () => new Array(limits.bodyBytes).fill(null)],
    ['empty objects', () => new Array(limits.bodyBytes / 2).fill({})],
  ])('holds for %s', (_, make) => {
    expect(refusal({ value: make() })).toMatchObject({
      path: '',
      detail: expect.stringMatching(/larger than/),
    })
  })

  test('holds for a small document that unfolds into a huge one', () => {
    let doc: unknown = 'x'
    for (let i = 0; i < 60; i++) doc = { a: doc, b: doc }
    expect(refusal(doc).detail).toMatch(/larger than/)
  })
})

describe('an id', () => {
  test.each(['a', 'x_', 'sensor/1', 'ü', '世界', '😀', ' ', 'x'.repeat(1_024), '😀'.repeat(256), '\u00a0'])(
    'may be %j',
    (id) => {
      expect(acceptId(id)).toBe(id)
    },
  )

  test.each([
    '',
    '_a',
    'a\u0000',
    '\n',
    'a\u001f',
    '\u007f',
    'a\u0080',
    '\u009fb',
    '\ud800',
    'a\udc00b',
    'x'.repeat(1_025),
    `${'😀'.repeat(256)}x`,
    `${'世'.repeat(341)}xx`,
    7,
    null,
    undefined,
    {},
    ['a'],
  ])('may not be %j', (id) => {
    expect(refusalOf(() => acceptId(id))).toMatchObject({ path: 'id', code: 'MYNAH_DOCUMENT_INVALID' })
  })
})

test('a rev is of the form generation-digest', () => {
  expect(acceptRev('4294967295-Zz0')).toBe('4294967295-Zz0')
  for (const rev of ['4294967296-a', '0-a', 'a', '', 7, undefined, ['1-a']]) {
    expect(refusalOf(() => acceptRev(rev)).path).toBe('rev')
  }
})
