import type { HeldAnswer, LeafRef, OwedPage, Position } from '@mynah/core/replica'
import { Packr } from 'msgpackr'
import { protocolVersion, wireLimits } from './names.js'
import { positionText } from './position.js'
import { Shape } from './shape.js'

/** UTF-16 units of an id or rev, generously: their own limits are checked where they are used. */
const NAME_CHARACTERS = 2_048
const BODY_HASH_BYTES = 32

/** Values of an entry of up to three, and the entry itself. */
const ENTRY_VALUES = 4
/** Values of a push answer without its exceptions, generously: members may be added. */
const ANSWER_VALUES = 64

/** What a mirror says of one of its databases. JSON. */
export interface DatabaseInfo {
  readonly name: string
  /** Of the database there: 32 lower-case hex digits. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
  readonly protocol: typeof protocolVersion
  readonly position: Position
  /** Live documents; absent where the asker reaches only `prefixes`. */
  readonly documents?: number
  /** The ids that the asker reaches, where these are not all: those that begin with one of them. */
  readonly prefixes?: readonly string[]
  /** Leaves that a mirror knows and does not hold; absent where that is not asked of it: in mode peer. */
  readonly owes?: number
  readonly limits: { readonly requestBytes: number; readonly batchRecords: number }
  /** Addresses of other mirrors of this database, as the operator says; of more, the first `wireLimits.mirrors`. */
  readonly mirrors?: readonly string[]
  /** For each position asked about, whether it lies in this database's history. */
  readonly holds?: readonly boolean[]
}

/** The answer to a push: all that was taken is fsynced. */
export interface PushAnswer {
  readonly position: Position
  /** What was new took exactly the seqs from `before` + 1 to `position.seq`, with nothing of others in between. */
  readonly before: number
  /** Records that were new or whose body was. */
  readonly taken: number
  /** Records that were not accepted. */
  readonly exceptions: readonly PushException[]
}

/** A record of a push that was not accepted. */
export interface PushException {
  /** Its place in the push, from 0. */
  readonly index: number
  /** `MYNAH_DETACHED`, or why it is refused. */
  readonly code: string
  readonly reason: string
}

/** What a fetch asks for: one leaf, or all leaves of a document. */
export type FetchItem = LeafRef | { readonly id: string }

const packr = new Packr({ useRecords: false, variableMapSize: true })

/** A copy of the value's msgpack bytes, in its own memory. */
function pack(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value))
}

/** The body of an info answer. */
export function encodeInfo(info: DatabaseInfo): string {
  return JSON.stringify({ ...info, position: positionText(info.position) })
}

/** @throws MessageInvalidError also when it is of another version of the protocol */
export function decodeInfo(text: string): DatabaseInfo {
  const shape = new Shape('info')
  const message = shape.object(shape.json(text))
  if (message.protocol !== protocolVersion) shape.fail(`protocol ${String(message.protocol)}`)
  const limits = shape.object(message.limits)
  const holds = message.holds
  return {
    name: shape.text(message.name),
    id: databaseId(shape, message.id),
    mode: modeOf(shape, message.mode),
    protocol: protocolVersion,
    position: shape.position(message.position),
    ...(message.documents === undefined ? {} : { documents: shape.count(message.documents) }),
    ...(message.prefixes === undefined
      ? {}
      : {
          prefixes: shape
            .array(message.prefixes, wireLimits.prefixes)
            .map((prefix) => shape.text(prefix, NAME_CHARACTERS)),
        }),
    ...(message.owes === undefined ? {} : { owes: shape.count(message.owes) }),
    limits: {
      requestBytes: shape.count(limits.requestBytes),
      batchRecords: shape.count(limits.batchRecords),
    },
    ...(message.mirrors === undefined ? {} : { mirrors: mirrorsOf(shape, message.mirrors) }),
    ...(holds === undefined
      ? {}
      : { holds: shape.array(holds, wireLimits.holds).map((held) => shape.boolean(held)) }),
  }
}

function mirrorsOf(shape: Shape, value: unknown): readonly string[] {
  const mirrors = shape.array(value, Number.POSITIVE_INFINITY).slice(0, wireLimits.mirrors)
  return mirrors.map((address) => shape.text(address))
}

/** The bytes of what a push is answered with. */
export function encodePushAnswer(answer: PushAnswer): Uint8Array {
  return pack({
    position: positionText(answer.position),
    before: answer.before,
    taken: answer.taken,
    exceptions: answer.exceptions.map(({ index, code, reason }) => [
      index,
      code,
      reason.slice(0, wireLimits.textCharacters),
    ]),
  })
}

/** @throws MessageInvalidError */
export function decodePushAnswer(bytes: Uint8Array): PushAnswer {
  const shape = new Shape('push answer')
  const message = shape.object(shape.msgpack(bytes, ANSWER_VALUES + wireLimits.batchRecords * ENTRY_VALUES))
  return {
    position: shape.position(message.position),
    before: shape.count(message.before),
    taken: shape.count(message.taken),
    exceptions: shape.array(message.exceptions, wireLimits.batchRecords).map((entry) => {
      const [index, code, reason] = shape.array(entry, 3)
      return { index: shape.count(index), code: shape.text(code), reason: shape.text(reason) }
    }),
  }
}

/** The body of `records/missing`: at most `wireLimits.missingLeaves`. */
export function encodeLeaves(leaves: readonly LeafRef[]): Uint8Array {
  return pack(leaves.map(leafEntry))
}

/** At most so many. @throws MessageInvalidError */
export function decodeLeaves(
  bytes: Uint8Array,
  leavesMax: number = wireLimits.missingLeaves,
): readonly LeafRef[] {
  const shape = new Shape('question about leaves')
  return shape
    .array(shape.msgpack(bytes, 1 + leavesMax * ENTRY_VALUES), leavesMax)
    .map((entry) => leafOf(shape, shape.array(entry, 3)))
}

/** The answer to `records/missing`: one for each leaf, in order. */
export function encodeMissing(missing: readonly boolean[]): Uint8Array {
  return pack(missing)
}

/** @throws MessageInvalidError also when there are not exactly `length` */
export function decodeMissing(bytes: Uint8Array, length: number): readonly boolean[] {
  const shape = new Shape('answer about missing leaves')
  const entries = shape.array(shape.msgpack(bytes, 1 + length), length)
  if (entries.length !== length) shape.fail(`${entries.length} answers to ${length} questions`)
  return entries.map((entry) => shape.boolean(entry))
}

/** The answer to `records/held`. */
export function encodeHeld({ id, mode, held }: HeldAnswer): Uint8Array {
  return pack({ id, mode, held })
}

/** @throws MessageInvalidError also when there are not exactly `length` */
export function decodeHeld(bytes: Uint8Array, length: number): HeldAnswer {
  const shape = new Shape('answer about held leaves')
  const message = shape.object(shape.msgpack(bytes, ANSWER_VALUES + length))
  const held = shape.array(message.held, length)
  if (held.length !== length) shape.fail(`${held.length} answers to ${length} questions`)
  return {
    id: databaseId(shape, message.id),
    mode: modeOf(shape, message.mode),
    held: held.map((one) => shape.boolean(one)),
  }
}

/** The body of `records/fetch`: at most `wireLimits.fetchLeaves`. */
export function encodeFetch(items: readonly FetchItem[]): Uint8Array {
  return pack(items.map((item) => ('rev' in item ? leafEntry(item) : [item.id])))
}

/** @throws MessageInvalidError */
export function decodeFetch(bytes: Uint8Array): readonly FetchItem[] {
  const shape = new Shape('fetch')
  const message = shape.msgpack(bytes, 1 + wireLimits.fetchLeaves * ENTRY_VALUES)
  return shape.array(message, wireLimits.fetchLeaves).map((entry) => {
    const fields = shape.array(entry, 3)
    return fields.length === 1 ? { id: shape.text(fields[0], NAME_CHARACTERS) } : leafOf(shape, fields)
  })
}

/** The answer to `owed`. */
export function encodeOwed({ leaves, next }: OwedPage): Uint8Array {
  return pack({ leaves: leaves.map(leafEntry), ...(next === undefined ? {} : { next }) })
}

/** @throws MessageInvalidError */
export function decodeOwed(bytes: Uint8Array): OwedPage {
  const shape = new Shape('answer about what is owed')
  const leavesMax = wireLimits.messageBytes / ENTRY_VALUES
  const message = shape.object(shape.msgpack(bytes, ANSWER_VALUES + leavesMax * ENTRY_VALUES))
  const leaves = shape.array(message.leaves, leavesMax).map((entry) => leafOf(shape, shape.array(entry, 3)))
  return message.next === undefined ? { leaves } : { leaves, next: shape.text(message.next, NAME_CHARACTERS) }
}

/** A line of the live stream, with its end. */
export function encodeLiveLine(position: Position): string {
  return `${JSON.stringify({ position: positionText(position) })}\n`
}

/**
 * The position of a line of the live stream; undefined for a heartbeat.
 * @throws MessageInvalidError
 */
export function decodeLiveLine(line: string): Position | undefined {
  if (line === '') return undefined
  const shape = new Shape('line of the live stream')
  return shape.position(shape.object(shape.json(line)).position)
}

/** What an answer says of an error. JSON. */
export interface ErrorMessage {
  readonly code: string
  readonly message: string
  /** Of a conflict: the document's revision now. */
  readonly rev?: string
  /** Of an invalid document: where in it. */
  readonly path?: string
  /** Of an invalid document: what is wrong there. */
  readonly detail?: string
}

/** The body of an error. */
export function encodeError({ code, message, rev, path, detail }: ErrorMessage): string {
  const [text, place, fault] = [message, path, detail].map((one) => one?.slice(0, wireLimits.textCharacters))
  return JSON.stringify({ code, message: text, rev, path: place, detail: fault })
}

/** @throws MessageInvalidError */
export function decodeError(text: string): ErrorMessage {
  const shape = new Shape('error')
  const { code, message, rev, path, detail } = shape.object(shape.json(text))
  return {
    code: shape.text(code),
    message: shape.text(message),
    ...(rev !== undefined && { rev: shape.text(rev) }),
    ...(path !== undefined && { path: shape.text(path) }),
    ...(detail !== undefined && { detail: shape.text(detail) }),
  }
}

function databaseId(shape: Shape, value: unknown): string {
  const id = shape.text(value)
  return /^[0-9a-f]{32}$/.test(id) ? id : shape.fail('an id was expected')
}

function modeOf(shape: Shape, value: unknown): 'peer' | 'mirror' {
  return value === 'peer' || value === 'mirror' ? value : shape.fail('a mode was expected')
}

function leafEntry(leaf: LeafRef): readonly unknown[] {
  return leaf.bodyHash === undefined ? [leaf.id, leaf.rev] : [leaf.id, leaf.rev, leaf.bodyHash]
}

function leafOf(shape: Shape, fields: readonly unknown[]): LeafRef {
  const [id, rev, bodyHash] = fields
  return {
    id: shape.text(id, NAME_CHARACTERS),
    rev: shape.text(rev, NAME_CHARACTERS),
    ...(bodyHash === undefined ? {} : { bodyHash: shape.bytes(bodyHash, BODY_HASH_BYTES) }),
  }
}
