import type { Change, Document, Read, Stored, Value } from '@mynah/core'
import { parseDocumentJson } from './document-json.js'
import { decodeError, type ErrorMessage } from './messages.js'
import { wireLimits } from './names.js'
import { Shape } from './shape.js'

/** UTF-16 units of an id, a rev or a cursor, generously. */
const NAME_CHARACTERS = 2_048
const REVS_MAX = 65_536

const answer = new Shape('answer about documents')

/** A document that was stored. @throws MessageInvalidError */
export function decodeDocument<T extends object = Document>(value: Value): Stored<T> {
  const document = answer.object(value)
  name(document.id)
  name(document.rev)
  return document as unknown as Stored<T>
}

/** The rev that a write answers. @throws MessageInvalidError */
export function decodeRev(value: Value): string {
  return name(answer.object(value).rev)
}

/** What is known of a document: `GET …/docs/ID?details=true`. @throws MessageInvalidError */
export function decodeRead<T extends object = Document>(value: Value): Read<T> {
  const { doc, current, asOf, deleted, conflicts } = answer.object(value)
  if (asOf !== undefined && !(asOf instanceof Date)) return answer.fail('a time was expected')
  return {
    ...(doc !== undefined && { doc: decodeDocument<T>(doc as Value) }),
    current: answer.boolean(current),
    asOf,
    deleted: answer.boolean(deleted),
    conflicts: revs(conflicts),
    from: 'mirror',
  }
}

/** A page of a list, and where the next one begins. @throws MessageInvalidError */
export function decodePage<T extends object = Document>(
  value: Value,
): { readonly docs: readonly Stored<T>[]; readonly next: string | undefined } {
  const { docs, next } = answer.object(value)
  return {
    docs: answer.array(docs, wireLimits.documents).map((doc) => decodeDocument<T>(doc as Value)),
    next: next === undefined ? undefined : name(next),
  }
}

/** A line of `changes`: a change, or what ended them. @throws MessageInvalidError */
export function decodeChange<T extends object = Document>(line: string): Change<T> | ErrorMessage {
  const change = answer.object(parseDocumentJson(line))
  if (change.code !== undefined) return decodeError(line)
  return {
    cursor: name(change.cursor),
    seq: answer.count(change.seq),
    id: name(change.id),
    rev: name(change.rev),
    deleted: answer.boolean(change.deleted),
    conflicts: revs(change.conflicts),
    ...(change.doc !== undefined && { doc: decodeDocument<T>(change.doc as Value) }),
  }
}

/** Lines of outcomes, of exactly so many writes: a rev each, or what refused it. @throws MessageInvalidError */
export function decodeOutcomes(text: string, writes: number): readonly (string | ErrorMessage)[] {
  const lines = text.split('\n').slice(0, -1)
  if (lines.length !== writes) return answer.fail(`${lines.length} outcomes of ${writes} writes`)
  return lines.map((line) => {
    const outcome = answer.object(answer.json(line))
    return answer.boolean(outcome.ok) ? name(outcome.rev) : decodeError(line)
  })
}

function name(value: unknown): string {
  return answer.text(value, NAME_CHARACTERS)
}

function revs(value: unknown): readonly string[] {
  return answer.array(value, REVS_MAX).map(name)
}
