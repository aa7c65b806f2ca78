import type { Document, Read, ReadOptions, Ref, Stored } from '@mynah/core'
import type { Process } from './ground.js'

/** How an application's parts write and read, so that all of it is checked in one place. */
export interface Editor {
  /** A body that no other write has. */
  draw(id: string): Document & { readonly id: string }
  /** Reads a document and checks the answer. */
  read(process: Process, id: string, options: ReadOptions): Promise<Read>
  /** Something was stored: it is there at once. */
  wrote(process: Process, stored: Stored, given: Document): Promise<void>
  /** Something was deleted. */
  buried(process: Process, id: string, rev: string, parent: string | undefined): Promise<void>
  /** Deletes one revision that was read. */
  deleteRevision(process: Process, ref: Ref): Promise<void>
  /** Asks the database what a document's revisions follow. */
  learn(process: Process, id: string): Promise<void>
}
