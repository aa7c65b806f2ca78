import { readable } from '../changes/ancestry.js'
import { checkOptions } from './arguments.js'
import { assemble, plain } from './assemble.js'
import type { Context } from './context.js'
import type { ListOptions, Stored } from './documents.js'
import type { Reader } from './reader.js'

/** The documents of a range, in order of id; what is not held is fetched or left out. @throws IndexCorruptError */
export async function* listDocuments(
  { index, log }: Context,
  reader: Reader,
  options: ListOptions = {},
): AsyncGenerator<Stored> {
  checkOptions('list', options)
  let left = options.limit ?? Number.POSITIVE_INFINITY
  if (left <= 0) return
  for await (const [id, entry] of index.range(options, options.reverse)) {
    options.signal?.throwIfAborted()
    const leaf = entry.leaves[0]
    if (leaf === undefined || leaf.deleted) continue
    let doc: Stored | undefined
    const record = leaf.bodySeq === 0 ? undefined : await readable(log, leaf.bodySeq)
    if (record) doc = assemble(id, leaf.rev, plain(record))
    else if (options.missing === 'fetch') {
      doc = (await reader.read(id, options.signal ? { signal: options.signal } : {})).doc
    }
    if (doc === undefined) continue
    yield doc
    left -= 1
    if (left === 0) return
  }
}
