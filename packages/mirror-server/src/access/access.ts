import { forbidden, LimitedReplica, type Served } from '@mynah/replication/serve'
import type { Databases } from '../databases/databases.js'
import { type Grant, reaches } from '../tokens/grant.js'
import { requireReach } from './guard.js'
import { LimitedDatabase, type ServedDatabase } from './limited-database.js'

/** A database as a request reaches it. */
export interface Reached extends Served {
  readonly database: ServedDatabase
}

interface Asked {
  readonly grant: Grant | undefined
  readonly params: unknown
}

/**
 * The databases, as the token of a request reaches them: the only way from a route to one, so that no route can forget
 * what a token is limited to.
 */
export class Access {
  readonly #databases: Databases

  constructor(databases: Databases) {
    this.#databases = databases
  }

  /** Names of those that are there and within reach. */
  async names({ grant }: Pick<Asked, 'grant'>): Promise<readonly string[]> {
    const names = await this.#databases.names()
    return names.filter((name) => reaches(granted(grant), name))
  }

  /** The one that the path names, or the named one. @throws RequestRefusedError, and as `Databases.get` */
  async get(request: Asked, name: string = databaseOf(request)): Promise<Reached> {
    const grant = granted(request.grant)
    requireReach(grant, name)
    return limited(this.#databases.now(name) ?? (await this.#databases.get(name)), grant)
  }

  /** The same, made where there is none; for an id only where that is within reach. */
  async create(
    request: Asked,
    name: string = databaseOf(request),
    id?: string,
  ): Promise<{ readonly opened: Reached; readonly created: boolean }> {
    const grant = granted(request.grant)
    requireReach(grant, name)
    if (id !== undefined && grant.ids?.includes(id) === false)
      throw forbidden('This token does not reach this id')
    const { opened, created } = await this.#databases.create(name)
    return { opened: limited(opened, grant), created }
  }

  /** Ends the one that the path names, for good. @throws RequestRefusedError, and as `Databases.drop` */
  async drop(request: Asked): Promise<void> {
    const grant = granted(request.grant)
    requireReach(grant, databaseOf(request))
    if (grant.ids !== undefined) throw forbidden('This token reaches a part of the database')
    await this.#databases.drop(databaseOf(request))
  }
}

function limited(opened: Awaited<ReturnType<Databases['get']>>, { ids }: Grant): Reached {
  if (ids === undefined) return opened
  const { name, database, replica, mirrors } = opened
  return {
    name,
    database: new LimitedDatabase(database, ids),
    replica: new LimitedReplica(replica, ids),
    prefixes: ids.prefixes,
    mirrors,
  }
}

/** An open route has no grant, and reaches nothing. */
function granted(grant: Grant | undefined): Grant {
  if (grant === undefined) throw forbidden('This is not open to all')
  return grant
}

function databaseOf({ params }: Pick<Asked, 'params'>): string {
  return (params as { readonly db: string }).db
}
