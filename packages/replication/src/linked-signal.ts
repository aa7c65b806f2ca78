/** A signal that follows another until it is let go. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  release(): void
}

/**
 * A signal for one call, aborted with the one that it follows, for the same reason. It is that one's only listener for
 * all that the call listens: Node takes more than ten for a leak, and says so to the user.
 */
export function linkedSignal(followed: AbortSignal): LinkedSignal {
  const own = new AbortController()
  const abort = () => own.abort(followed.reason)
  if (followed.aborted) abort()
  else followed.addEventListener('abort', abort, { once: true })
  return { signal: own.signal, release: () => followed.removeEventListener('abort', abort) }
}
