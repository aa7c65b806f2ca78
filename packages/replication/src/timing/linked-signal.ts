/** A signal that follows others until it is let go. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  release(): void
}

/** What is called when a signal is aborted, with the one listener that calls it. */
interface Followers {
  readonly aborts: Set<() => void>
  readonly onAbort: () => void
}

const followed = new WeakMap<AbortSignal, Followers>()

/**
 * A signal for one call, aborted with the first of those that it follows, for the same reason; undefined is none. However
 * many calls follow a signal, it has one listener: Node takes more than ten for a leak, and says so to the user. And when
 * it is let go nothing of it stays, as of a signal composed by `AbortSignal.any`, which a long-lived one remembers.
 */
export function linkedSignal(...signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const own = new AbortController()
  const releases = signals.flatMap((signal) => {
    if (signal === undefined) return []
    const abort = () => own.abort(signal.reason)
    if (signal.aborted) abort()
    return signal.aborted ? [] : [follow(signal, abort)]
  })
  const release = () => {
    for (const one of releases) one()
  }
  return { signal: own.signal, release }
}

/** Calls it when the signal is aborted, until what is given is called. */
function follow(signal: AbortSignal, abort: () => void): () => void {
  const { aborts, onAbort } = followed.get(signal) ?? begin(signal)
  aborts.add(abort)
  return () => {
    aborts.delete(abort)
    if (aborts.size > 0 || followed.get(signal)?.aborts !== aborts) return
    signal.removeEventListener('abort', onAbort)
    followed.delete(signal)
  }
}

function begin(signal: AbortSignal): Followers {
  const aborts = new Set<() => void>()
  const onAbort = () => {
    for (const abort of aborts) abort()
  }
  const followers: Followers = { aborts, onAbort }
  followed.set(signal, followers)
  signal.addEventListener('abort', onAbort, { once: true })
  return followers
}
