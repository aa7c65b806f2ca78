import { isDeepStrictEqual } from 'node:util'
import { ids } from './drawing.js'
import { Difference, type History } from './history.js'
import type { Model, Recorded } from './model.js'
import { show } from './show.js'

/** Opens the database after its process ended: it must be one of these. */
export async function survive(history: History, may: readonly Model[]): Promise<void> {
  await history.open()
  const found = await contentOf(history)
  const model = may.findLast((one) => isDeepStrictEqual(contentOfModel(one), found))
  if (model === undefined) {
    const expected = may.map((one) => `\n    ${show(contentOfModel(one))}`).join('')
    throw new Difference(`after the end\n  is       ${show(found)}\n  must be one of${expected}`)
  }
  history.model = model
  history.synced()
}

/** Every leaf in the database, as replication sees it, and the last place in its log. */
export async function contentOf({ db, replica }: History): Promise<unknown> {
  const documents = []
  for (const id of ids) documents.push((await replica.leaves(id)).map(leafText))
  return { seq: (await db.stats()).seq, documents }
}

export function contentOfModel(model: Model): unknown {
  return { seq: model.seq, documents: ids.map((id) => model.leaves(id).map(modelLeaf)) }
}

function leafText(record: Awaited<ReturnType<History['replica']['leaves']>>[number]): unknown {
  const { rev, path, deleted, bodyHash, body } = record
  return { rev, path, deleted, bodyHash, body }
}

export function modelLeaf({ rev, path, deleted, bodyHash, body, held }: Recorded): unknown {
  return { rev, path, deleted, bodyHash, body: held ? body : undefined }
}
