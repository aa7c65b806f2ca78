import type { MynahError } from '@mynah/core'
import type { MergeReport, Parked } from '@mynah/core/replica'

/** What a session tells of its work. */
export interface SessionObserver {
  /** Something that a status shows has changed. */
  onStatus(): void
  /** Whether no other session is with this database: it is the mirror's, as far as it told. */
  claim(databaseId: string): boolean
  /** The checkpoints are checked; requests may be made. */
  onConnected(): void
  /** The first push and pull are over. */
  onLive(): void
  /** The push moved; `documents` were acknowledged. */
  onPushed(documents: number): void
  /** The pull moved. */
  onPulled(report: MergeReport | undefined, changed: readonly string[]): void
  /** Documents that the mirror refused. */
  onRefused(refused: readonly Parked[]): void
  /** A record of the mirror's that could not be taken. */
  onUnfit(error: MynahError): void
  /** Both sides have nothing new for each other, and know different things: another session finds out what. */
  onMismatch(): void
}
