import { ByteWriter } from '../bytes/byte-writer.js'
import { COLUMN, type ColumnWriter } from './column-format.js'
import { writeIntegers } from './integers.js'
import { writeRow } from './row.js'
import type { Value } from './value.js'

type Members = { readonly [member: string]: Value }

interface Shape {
  readonly names: readonly string[]
  /** Places in the list of all members. */
  readonly members: readonly number[]
}

/** Columns pay when their values outnumber them so often; else each object is a row. */
const VALUES_PER_COLUMN = 2

/** Appends a column of objects, at least two; `writeColumn` appends those of their members. */
export function writeObjects(
  writer: ColumnWriter,
  objects: readonly Members[],
  writeColumn: (writer: ColumnWriter, values: readonly Value[]) => void,
): void {
  const shapes = new Shapes()
  const shapeOf = new Float64Array(objects.length)
  let cells = 0
  for (let i = 0; i < objects.length; i++) {
    const names = Object.keys(objects[i]!)
    shapeOf[i] = shapes.indexOf(names)
    cells += names.length
  }
  if (shapes.names.length * VALUES_PER_COLUMN > cells && cells > 0) {
    writeRows(writer, objects)
    return
  }
  writer.u8(COLUMN.objects)
  writer.varint(shapes.names.length)
  for (const name of shapes.names) writer.text(name)
  writer.varint(shapes.all.length)
  if (shapes.all.length > 1) {
    for (const { members } of shapes.all) {
      writer.varint(members.length)
      for (const member of members) writer.varint(member)
    }
    writeIntegers(writer, shapeOf)
  }
  const columns = shapes.all.length > 1 ? gather(objects, shapes, shapeOf) : undefined
  for (let m = 0; m < shapes.names.length; m++) {
    const name = shapes.names[m]!
    const values = columns?.[m] ?? objects.map((object) => object[name]!)
    if (values.length < objects.length) writer.cells += objects.length
    const part = writer.beginPart()
    writeColumn(writer, values)
    writer.endPart(part)
  }
}

function gather(objects: readonly Members[], shapes: Shapes, shapeOf: Float64Array): Value[][] {
  const columns: Value[][] = shapes.names.map(() => [])
  for (let i = 0; i < objects.length; i++) {
    const { names, members } = shapes.all[shapeOf[i]!]!
    for (let m = 0; m < names.length; m++) columns[members[m]!]!.push(objects[i]![names[m]!]!)
  }
  return columns
}

function writeRows(writer: ColumnWriter, objects: readonly Members[]): void {
  const rows = new ByteWriter(objects.length * 64)
  const lengths = objects.map((object) => {
    const start = rows.length
    writeRow(rows, object)
    return rows.length - start
  })
  writer.u8(COLUMN.rows)
  writeIntegers(writer, lengths)
  writer.raw(rows.view())
}

/** The lists of members that objects have, in their orders, and all their members, each once. */
class Shapes {
  readonly all: Shape[] = []
  readonly names: string[] = []
  readonly #memberOf = new Map<string, number>()
  readonly #shapeOf = new Map<string, number>()
  #last = -1

  indexOf(names: readonly string[]): number {
    if (this.#last >= 0 && sameNames(this.all[this.#last]!.names, names)) return this.#last
    const key = JSON.stringify(names)
    let index = this.#shapeOf.get(key)
    if (index === undefined) {
      index = this.all.push({ names, members: names.map((name) => this.#memberIndex(name)) }) - 1
      this.#shapeOf.set(key, index)
    }
    this.#last = index
    return index
  }

  #memberIndex(name: string): number {
    let index = this.#memberOf.get(name)
    if (index === undefined) {
      index = this.names.push(name) - 1
      this.#memberOf.set(name, index)
    }
    return index
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
