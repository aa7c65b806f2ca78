import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { limits } from '../limits.js'
import type { Column, OpenColumn } from './column.js'
import type { DecodeBudget } from './column-format.js'
import { Integers } from './integers.js'
import { countClasses } from './mixed-read.js'
import { Rank } from './rank.js'
import { setMember } from './row.js'
import type { Value } from './value.js'

interface Shape {
  readonly members: ReadonlySet<Member>
  /** At least what its names and values take in any encoding. */
  readonly weight: number
}

interface Member {
  readonly name: string
  readonly weight: number
  bytes: Uint8Array
  count: number
  column: Column | undefined
  /** Undefined where all rows have the member. */
  rank: Rank | undefined
}

/** Takes a column of objects. @throws MalformedBytes */
export function readObjects(
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
  open: OpenColumn,
): Column {
  if (depth >= limits.depth) throw new MalformedBytes('values nested too deep')
  const members = readMembers(reader)
  const shapeCount = reader.varint()
  if (shapeCount < 1 || shapeCount > count) throw new MalformedBytes('more shapes than objects')
  const shapes = shapeCount === 1 ? [toShape(new Set(members))] : readShapes(reader, shapeCount, members)
  const shapeOf = shapeCount === 1 ? undefined : Integers.read(reader, count, budget)
  const rowsOf = shapeOf === undefined ? [count] : countClasses(shapeOf, shapeCount)
  for (const [s, shape] of shapes.entries()) for (const member of shape.members) member.count += rowsOf[s]!
  for (const member of members) member.bytes = reader.bytes()
  reader.end()

  function memberOf(member: Member, index: number): Value {
    member.column ??= open(member.bytes, member.count, depth + 1)
    if (member.count === count) return member.column.get(index)
    member.rank ??= new Rank(
      shapeOf!,
      shapes.map((shape) => shape.members.has(member)),
      budget,
    )
    return member.column.get(member.rank.at(index))
  }

  return {
    get(index) {
      const shape = shapes[shapeOf === undefined ? 0 : shapeOf.at(index)]!
      budget.spend(shape.weight)
      const object: { [member: string]: Value } = {}
      for (const member of shape.members) setMember(object, member.name, memberOf(member, index))
      return object
    },
  }
}

function readMembers(reader: ByteReader): Member[] {
  const count = reader.varint()
  if (count > reader.left) throw new MalformedBytes('the bytes end too early')
  const members: Member[] = []
  const names = new Set<string>()
  for (let i = 0; i < count; i++) {
    const name = reader.text()
    names.add(name)
    members.push({
      name,
      weight: name.length + 1,
      bytes: new Uint8Array(0),
      count: 0,
      column: undefined,
      rank: undefined,
    })
  }
  if (names.size !== count) throw new MalformedBytes('a member that is named twice')
  return members
}

function readShapes(reader: ByteReader, count: number, all: readonly Member[]): Shape[] {
  const shapes: Shape[] = []
  for (let s = 0; s < count; s++) {
    const memberCount = reader.varint()
    if (memberCount > Math.min(all.length, reader.left))
      throw new MalformedBytes('a shape of too many members')
    const members = new Set<Member>()
    for (let m = 0; m < memberCount; m++) {
      const member = all[reader.varint()]
      if (member === undefined) throw new MalformedBytes('a shape of unknown members')
      members.add(member)
    }
    if (members.size !== memberCount) throw new MalformedBytes('a shape that has a member twice')
    shapes.push(toShape(members))
  }
  return shapes
}

function toShape(members: ReadonlySet<Member>): Shape {
  let weight = 1
  for (const member of members) weight += member.weight
  return { members, weight }
}
