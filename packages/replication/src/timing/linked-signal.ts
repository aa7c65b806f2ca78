/** A signal that follows others until it is let go. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  release(): void
}

/**
 * A signal for one call, aborted with the first of those that it follows, for the same reason; undefined is none. It is
 * their only listener for all that the call listens: Node takes more than ten for a leak, and says so to the user. And
 * when it is let go nothing of it stays, as of a signal composed by `AbortSignal.any`, which a long-lived one remembers.
 */
export function linkedSignal(...followed: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const own = new AbortController()
  const links = followed.flatMap((signal) =>
    signal ? [{ signal, abort: () => own.abort(signal.reason) }] : [],
  )
  for (const { signal, abort } of links) {
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  }
  const release = () => {
    for (const { signal, abort } of links) signal.removeEventListener('abort', abort)
  }
  return { signal: own.signal, release }
}
