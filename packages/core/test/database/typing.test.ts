import { expectTypeOf, test } from 'vitest'
import {
  type Conflict,
  type Database,
  type Document,
  type Input,
  type Outcome,
  open,
  REMOVE,
  type Read,
  type Snapshot,
  type Storable,
  type Stored,
  type Version,
} from '../../src/index.js'

// What must not compile stands in functions that nobody calls: `tsc -p tsconfig.test.json` is the test.

interface Reading {
  id: string
  celsius: number
  at: Date
  note?: string
  raw?: Uint8Array
}

interface Nested {
  tags: string[]
  matrix: readonly (readonly number[])[]
  place: { lat: number; lon: number; label?: string }
  state: 'on' | 'off' | { kind: 'error'; code: bigint }
  nothing: null
  pair: readonly [string, number]
}

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

class Account {
  balance = 0
  deposit(amount: number): void {
    this.balance += amount
  }
}

test('interfaces, optional members, unions, nested arrays and readonly types fit, and come back as themselves', async () => {
  const db = await open(':memory:')
  const reading: Reading = { id: 'r', celsius: 21, at: new Date(0) }
  const stored = await db.put(reading)
  expectTypeOf(stored).toEqualTypeOf<Stored<Reading>>()
  expectTypeOf(stored.rev).toEqualTypeOf<string>()
  expectTypeOf(stored.note).toEqualTypeOf<string | undefined>()
  await db.put(stored)
  await db.put({ ...stored, celsius: 22 }, { overwrite: true })

  const nested: Nested = {
    tags: ['a'],
    matrix: [[1], [2, 3]],
    place: { lat: 1, lon: 2 },
    state: { kind: 'error', code: 5n },
    nothing: null,
    pair: ['a', 1],
  }
  expectTypeOf(await db.put(nested)).toEqualTypeOf<Stored<Nested>>()
  const frozen: Readonly<Reading> = Object.freeze({ ...reading, id: 'f' })
  expectTypeOf(await db.put(frozen)).toEqualTypeOf<Stored<Readonly<Reading>>>()
  expectTypeOf(await db.putMany([{ ...reading, id: 'm' }])).toEqualTypeOf<Outcome<Reading>[]>()
  expectTypeOf(await db.putMany(new Set([{ n: 1 }]))).toEqualTypeOf<Outcome<{ n: number }>[]>()
  // A document of no particular type, and what a JSON parser gives.
  const plain: Document = { anything: [1, { at: new Date(0) }] }
  expectTypeOf(await db.put(plain)).toEqualTypeOf<Stored<Document>>()
  await db.put(JSON.parse('{"n":1}'))
  await db.close()
})

test('reads give what they are asked for', async () => {
  const db = await open(':memory:')
  expectTypeOf(await db.get('a')).toEqualTypeOf<Stored<Document> | undefined>()
  expectTypeOf(await db.get<Reading>('a')).toEqualTypeOf<Stored<Reading> | undefined>()
  expectTypeOf(await db.getMany<Reading>(['a'])).toEqualTypeOf<(Stored<Reading> | undefined)[]>()
  expectTypeOf(await db.read<Reading>('a', { freshness: 'local' })).toEqualTypeOf<Read<Reading>>()
  for await (const doc of db.list<Reading>()) expectTypeOf(doc).toEqualTypeOf<Stored<Reading>>()
  for await (const { doc } of db.changes<Reading>())
    expectTypeOf(doc).toEqualTypeOf<Stored<Reading> | undefined>()
  for await (const version of db.history<Reading>('a'))
    expectTypeOf(version).toEqualTypeOf<Version<Reading>>()
  const snapshot = await db.at({ seq: 0 })
  expectTypeOf(snapshot).toEqualTypeOf<Snapshot>()
  expectTypeOf(await snapshot.get<Reading>('a')).toEqualTypeOf<Stored<Reading> | undefined>()
  await db.close()
})

test('an update gives, takes and returns the same type', async () => {
  const db = await open(':memory:')
  const updated = await db.update<Reading>('r', (doc) => {
    expectTypeOf(doc).toEqualTypeOf<Readonly<Stored<Reading>> | undefined>()
    if (doc === undefined) return undefined
    return doc.celsius > 90 ? REMOVE : { ...doc, celsius: doc.celsius + 1 }
  })
  expectTypeOf(updated).toEqualTypeOf<Stored<Reading> | undefined>()
  // The id is known already.
  await db.update<{ n: number }>('n', async (doc) => ({ n: (doc?.n ?? 0) + 1 }))
  await db
    .resolve<Reading>('r', (conflict) => {
      expectTypeOf(conflict).toEqualTypeOf<Conflict<Reading>>()
      return REMOVE
    })
    .catch(() => undefined)
  await db.close()
})

test('what can be stored is itself; what cannot is never', () => {
  expectTypeOf<Storable<Reading>>().toEqualTypeOf<Reading>()
  expectTypeOf<Storable<Nested>>().toEqualTypeOf<Nested>()
  expectTypeOf<Storable<Date>>().toEqualTypeOf<Date>()
  expectTypeOf<Storable<Uint8Array>>().toEqualTypeOf<Uint8Array>()
  expectTypeOf<Storable<() => void>>().toEqualTypeOf<never>()
  expectTypeOf<Storable<symbol>>().toEqualTypeOf<never>()
  expectTypeOf<Storable<Map<string, number>>>().toEqualTypeOf<never>()
  expectTypeOf<Storable<Set<string>>>().toEqualTypeOf<never>()
  expectTypeOf<Storable<{ a: { f: () => void } }>>().toEqualTypeOf<{ a: { f: never } }>()
  expectTypeOf<Input<Reading>>().toExtend<Reading>()
})

/** Never called. */
export async function refused(db: Database, anyValue: { whatever: unknown }): Promise<void> {
  // @ts-expect-error a function
  await db.put({ run: () => 1 })
  // @ts-expect-error a function, deep down
  await db.put({ list: [{ run: () => 1 }] })
  // @ts-expect-error a Map
  await db.put({ map: new Map<string, number>() })
  // @ts-expect-error a Set in an optional member
  await db.put({} as { tags?: Set<string> })
  // @ts-expect-error a symbol
  await db.put({ symbol: Symbol('s') })
  // @ts-expect-error an instance with methods
  await db.put(new Account())
  // @ts-expect-error an instance with methods, nested
  await db.put({ owner: { account: new Account() } })
  // @ts-expect-error a promise
  await db.put({ later: Promise.resolve(1) })
  // @ts-expect-error who does not know what it is has to say so
  await db.put(anyValue)
  // @ts-expect-error an id is text
  await db.put({ id: 7 })
  // @ts-expect-error a rev is text
  await db.put({ rev: 7 })
  // @ts-expect-error no object
  await db.put('text')
  // @ts-expect-error a function
  await db.putMany([{ run: () => 1 }])
  // @ts-expect-error a Map, nested
  await db.putMany([{ deep: { map: new Map<string, number>() } }])
  // @ts-expect-error a function
  await db.update<{ n: number }>('a', () => ({ n: 1, run: () => 1 }) as { n: () => number })
  // @ts-expect-error a string where a number belongs
  await db.update<{ n: number }>('a', () => ({ n: 'one' }))
  await db.update<{ n: number }>('a', (doc) => {
    // @ts-expect-error what an update is given is not to be changed
    if (doc) doc.n = 1
    return doc
  })
  // @ts-expect-error neither a seq nor a time
  await db.at({})
  // @ts-expect-error an unknown option
  await db.get('a', { freshness: 'never' })
}

/** Never called: what the types let through, and the database then checks by itself. */
export async function letThrough(
  db: Database,
  anything: ReturnType<typeof JSON.parse>,
  point: Point,
): Promise<void> {
  // Who says `any` wants no help; data classes look like plain objects to the compiler.
  await db.put(anything)
  await db.put(point)
}
