import { CursorLostError } from '@mynah/core'
import type { Mirror } from '../mirror/mirror.js'

/** The mirrors that one round has tried. */
export class Tries {
  readonly failed = new Set<Mirror>()
  readonly #changed = new Set<Mirror>()
  #failures = 0

  /** Counts a failure; whether it is that of the round, as no mirror is left to try. */
  isLast(mirror: Mirror, error: unknown, mirrors: readonly Mirror[]): boolean {
    // Restored, or another than it was: the next session begins anew with it.
    if (error instanceof CursorLostError && !this.#changed.has(mirror)) {
      this.#changed.add(mirror)
      return false
    }
    this.#failures += 1
    this.failed.add(mirror)
    return mirrors.every((one) => this.failed.has(one)) || this.#failures > 2 * mirrors.length
  }
}
