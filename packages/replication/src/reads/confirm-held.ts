import { type LeafRef, unlessAborted } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { wireLimits } from '../protocol/names.js'

/** Who may confirm. */
export interface Confirming {
  /** The mirror in use, or the next that connects. Rejects when all fail. */
  readonly reach: (
    signal: AbortSignal | undefined,
  ) => Promise<{ readonly client: MirrorClient; readonly signal: AbortSignal }>
  /** All mirrors. */
  readonly mirrors: () => readonly MirrorClient[]
  /** The id of the database here. */
  readonly databaseId: string
}

/**
 * For each leaf, whether a mirror names it as durably held: the mirror in use, and for what that does not name each of
 * the others in turn. One word for each is enough. A database that is no mirror, or is this one, has none. Rejects when
 * not one could be asked.
 */
export async function confirmHeld(
  leaves: readonly LeafRef[],
  { reach, mirrors, databaseId }: Confirming,
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  const confirmed = leaves.map(() => false)
  const ask = async (client: MirrorClient, ended: AbortSignal): Promise<void> => {
    const open = [...confirmed.keys()].filter((index) => !confirmed[index])
    for (let start = 0; start < open.length; start += wireLimits.heldLeaves) {
      const some = open.slice(start, start + wireLimits.heldLeaves)
      const asked = client.held(
        some.map((index) => leaves[index]!),
        ended,
      )
      const { id, mode, held } = await unlessAborted(asked, signal)
      if (mode !== 'mirror' || id === databaseId) return
      for (const [at, index] of some.entries()) confirmed[index] = held[at] === true
    }
  }
  if (leaves.length === 0) return []
  const inUse = await reach(signal)
  let failure: unknown
  let answered = false
  for (const client of [
    inUse.client,
    ...mirrors().filter(({ address }) => address !== inUse.client.address),
  ]) {
    if (confirmed.every((one) => one)) break
    try {
      await ask(client, client === inUse.client ? inUse.signal : signal)
      answered = true
    } catch (error) {
      signal.throwIfAborted()
      failure ??= error
    }
  }
  if (!answered) throw failure
  return confirmed
}
