import type { Replica } from '@mynah/core/replica'

/** Those of the documents that have several live leaves now, with the revs of these. */
export async function* conflictsAmong(
  replica: Replica,
  ids: readonly string[],
): AsyncGenerator<{ readonly id: string; readonly revs: readonly string[] }> {
  for (const id of ids) {
    const live = (await replica.leaves(id)).filter(({ deleted }) => !deleted)
    if (live.length > 1) yield { id, revs: live.map(({ rev }) => rev) }
  }
}
