import type { Documents } from '../database/documents.js'
import type { Replica } from '../database/replica.js'

/** One thing that every implementation must do: rejects with what it did instead. */
export interface ComplianceCheck {
  readonly name: string
  run(): Promise<void>
}

/** Checks of a replica by their names. `reopen` closes the database and opens it again. */
export type ReplicaChecks = Readonly<
  Record<string, (replica: Replica, reopen: () => Promise<Replica>) => Promise<void>>
>

/** Checks of documents by their names. */
export type DocumentsChecks = Readonly<Record<string, (documents: Documents) => Promise<void>>>

/** @throws Error when the two are not the same as JSON */
export function same(actual: unknown, expected: unknown, what = ''): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (found !== wanted) throw new Error(`${what && `${what}: `}expected ${wanted}, found ${found}`)
}

/** @throws Error when it does not hold */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

/** @throws Error when it does not reject with an error of this code; gives the error */
export async function rejects(
  promise: Promise<unknown>,
  code: string,
): Promise<Error & { readonly code: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === code)
      return error as Error & { readonly code: string }
    throw new Error(`expected ${code}, found ${String(error)}`, { cause: error })
  }
  throw new Error(`expected ${code}, but it succeeded`)
}
