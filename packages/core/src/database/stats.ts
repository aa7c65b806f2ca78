import { toHex } from '../bytes/hex.js'
import type { LogStats } from '../log/log.js'
import type { Context } from './context.js'
import type { IndexProgress } from './index-home.js'
import { owedCount } from './owed.js'
import type { VerifyFinding } from './verify-finding.js'
import { damageOf } from './verify-log.js'

/** What a database holds and takes. Bytes are counted, not estimated, but for the index on disk. */
export interface Stats extends LogStats {
  /** Live documents known. */
  readonly documents: number
  readonly tombstones: number
  /** Documents with more than one live leaf. */
  readonly conflicts: number
  /** Leaves that are known and whose bodies are not held. */
  readonly notHeld: number
  /** Of those, the ones that this replica is to hold, and fetches when it has a mirror: pinned, lost to damage, or all of a mirror's. */
  readonly owed: number
  /** With a budget for them: about how many bytes of bodies are held, before compression; undefined until they are counted. */
  readonly heldBytes: number | undefined
  /**
   * Why that is more than the budget, when it was last tried to drop some: `unreachable`, no mirror could be asked; `kept`,
   * all that is left is pinned, not on a mirror yet, or owed, or all is to be held here.
   */
  readonly heldOver: 'kept' | 'unreachable' | undefined
  /** Documents that are pinned, known or not. */
  readonly pins: number
  /** Damage that was found since the database was opened: which file, what is wrong with it, and which documents it concerns. */
  readonly damage: readonly VerifyFinding[]
  /** Records were lost that the index had not seen: until a mirror has been asked, no document is called current. */
  readonly doubt: boolean
  /** The newest record. */
  readonly seq: number
  /** Ids known and the sum of their fingerprints, hex: the same in replicas that know the same. */
  readonly root: { readonly count: number; readonly sum: string }
  /** How far the index is rebuilt from the log; undefined when it need not be. */
  readonly rebuilding: IndexProgress | undefined
  /** Bytes of the index on disk, and of all files together. */
  readonly indexBytes: number
  readonly diskBytes: number
  /** About how many of `sealedBytes` are of bodies that compaction would drop. */
  readonly deadBytes: number
  /** Superseded revisions at or above this seq are all there; 0 when none was ever dropped. */
  readonly historySince: number
}

export async function statsOf(
  context: Context,
  indexBytes: number,
  deadBytes: number,
  rebuilding: IndexProgress | undefined,
): Promise<Stats> {
  const { ids, documents, conflicts, notHeld, sum } = context.index.root
  const log = context.log.stats()
  return {
    ...log,
    documents,
    tombstones: ids - documents,
    conflicts,
    notHeld,
    owed: await owedCount(context),
    damage: [...(await damageOf(context)), ...context.pins.findings()],
    pins: context.pins.size,
    heldBytes: context.budget?.bytes,
    heldOver: context.budget?.over,
    doubt: context.manifest.data.doubt === true,
    seq: context.log.head,
    root: { count: ids, sum: toHex(sum) },
    rebuilding,
    indexBytes,
    diskBytes: log.diskBytes + indexBytes,
    deadBytes,
    historySince: context.manifest.data.historySince,
  }
}
