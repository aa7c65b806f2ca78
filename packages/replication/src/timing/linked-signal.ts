import { whenAborted } from '@mynah/core/replica'

/** A signal that follows others until it is let go. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  release(): void
}

/**
 * A signal for one call, aborted with the first of those that it follows, for the same reason; undefined is none. When
 * it is let go nothing of it stays, as of a signal composed by `AbortSignal.any`, which a long-lived one remembers.
 */
export function linkedSignal(...followed: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const own = new AbortController()
  const links: (() => void)[] = []
  for (const signal of followed) {
    if (signal === undefined) continue
    const abort = () => own.abort(signal.reason)
    if (signal.aborted) abort()
    else links.push(whenAborted(signal, abort))
  }
  const release = () => {
    for (const stop of links) stop()
  }
  return { signal: own.signal, release }
}
