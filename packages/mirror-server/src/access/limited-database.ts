import type { Change, ChangesOptions, Database, Document, ListOptions, Stored } from '@mynah/core'
import { forbidden, type IdPrefixes } from '@mynah/replication/serve'

/** What routes ask of a database. Whatever is added here, `LimitedDatabase` must limit or refuse. */
export type ServedDatabase = Pick<
  Database,
  | 'put'
  | 'putMany'
  | 'update'
  | 'delete'
  | 'read'
  | 'list'
  | 'count'
  | 'changes'
  | 'conflicts'
  | 'history'
  | 'stats'
  | 'verify'
  | 'compact'
>

/**
 * A database as a token reaches it that is limited to some ids: what names others is refused, lists and changes leave
 * them out, and what is of the whole database is refused.
 */
export class LimitedDatabase implements ServedDatabase {
  readonly #database: ServedDatabase
  readonly #ids: IdPrefixes

  constructor(database: ServedDatabase, ids: IdPrefixes) {
    this.#database = database
    this.#ids = ids
  }

  put: ServedDatabase['put'] = async (doc, options) => {
    this.#require(doc.id)
    return await this.#database.put(doc, options)
  }

  putMany: ServedDatabase['putMany'] = async (docs, options) => {
    const given = [...docs]
    const may = ({ id }: { readonly id?: unknown }) => this.#includes(id)
    const outcomes = (await this.#database.putMany(given.filter(may), options)).values()
    return given.map((doc) => (may(doc) ? outcomes.next().value! : { ok: false, error: unreached() }))
  }

  update: ServedDatabase['update'] = async (id, change, options) => {
    this.#require(id)
    return await this.#database.update(id, change, options)
  }

  delete: ServedDatabase['delete'] = async (target) => {
    this.#require(typeof target === 'string' ? target : target.id)
    return await this.#database.delete(target)
  }

  read: ServedDatabase['read'] = async (id, options) => {
    this.#require(id)
    return await this.#database.read(id, options)
  }

  /** What is out of reach is refused now, and not when the first document is asked for: an answer has begun by then. */
  list<T extends object = Document>(options: ListOptions = {}): AsyncGenerator<Stored<T>> {
    return this.#listed(options, this.#within(options.prefix ?? ''))
  }

  /** As `list`. */
  changes<T extends object = Document>(options: ChangesOptions = {}): AsyncGenerator<Change<T>> {
    const { prefix = '' } = options
    const prefixes = this.#within(prefix)
    return this.#changed({ ...options, prefix: prefixes.length === 1 ? prefixes[0]! : prefix })
  }

  async *#listed<T extends object>(
    { prefix: _prefix, limit = Number.POSITIVE_INFINITY, ...range }: ListOptions,
    prefixes: readonly string[],
  ): AsyncGenerator<Stored<T>> {
    let left = limit
    for (const one of range.reverse ? prefixes.toReversed() : prefixes) {
      if (left <= 0) return
      const bound = Number.isFinite(left) ? { limit: left } : {}
      for await (const doc of this.#database.list<T>({ ...range, ...bound, prefix: one })) {
        left -= 1
        yield doc
      }
    }
  }

  async *#changed<T extends object>({
    limit = Number.POSITIVE_INFINITY,
    ...options
  }: ChangesOptions): AsyncGenerator<Change<T>> {
    let left = limit
    if (left <= 0) return
    for await (const change of this.#database.changes<T>(options)) {
      if (!this.#ids.includes(change.id)) continue
      yield change
      left -= 1
      if (left <= 0) return
    }
  }

  async *conflicts(): ReturnType<ServedDatabase['conflicts']> & AsyncGenerator {
    for await (const conflict of this.#database.conflicts())
      if (this.#ids.includes(conflict.id)) yield conflict
  }

  history: ServedDatabase['history'] = (id, options) => {
    this.#require(id)
    return this.#database.history(id, options)
  }

  count: ServedDatabase['count'] = refuse
  stats: ServedDatabase['stats'] = refuse
  verify: ServedDatabase['verify'] = refuse
  compact: ServedDatabase['compact'] = refuse

  /** What of a prefix is within, one at least: nothing at all would say that there is nothing. */
  #within(prefix: string): readonly string[] {
    const prefixes = this.#ids.within(prefix)
    if (prefixes.length === 0) throw unreached()
    return prefixes
  }

  #require(id: unknown): void {
    if (!this.#includes(id)) throw unreached()
  }

  /** What a client calls an id may be anything. */
  #includes(id: unknown): boolean {
    return typeof id === 'string' && this.#ids.includes(id)
  }
}

function unreached() {
  return forbidden('This token does not reach this id')
}

async function refuse(): Promise<never> {
  throw forbidden('This is of the whole database, and the token reaches a part')
}
