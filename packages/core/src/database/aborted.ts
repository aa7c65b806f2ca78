type Follower = () => void

const followers = new WeakMap<AbortSignal, { readonly all: Set<Follower>; readonly fire: () => void }>()

/**
 * Calls once when the signal fires, in the turn in which it does; returns the way to stop. One listener stands for any
 * number of calls, as Node takes more than ten for a leak and says so to the user, who gave one signal to many reads. The
 * caller looks itself whether it has fired already.
 */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  // One function may follow twice.
  const follower = () => callback()
  let entry = followers.get(signal)
  if (entry === undefined) {
    const all = new Set<Follower>()
    const fire = () => {
      for (const one of all) one()
    }
    entry = { all, fire }
    followers.set(signal, entry)
    signal.addEventListener('abort', fire, { once: true })
  }
  const { all, fire } = entry
  all.add(follower)
  return () => {
    all.delete(follower)
    if (all.size > 0 || followers.get(signal)?.all !== all) return
    followers.delete(signal)
    signal.removeEventListener('abort', fire)
  }
}

/** The promise, or the signal's reason when that comes first. The promise's later rejection is handled. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  promise.catch(() => {})
  signal.throwIfAborted()
  let stop = () => {}
  const fired = new Promise<never>((_, reject) => {
    stop = whenAborted(signal, () => reject(signal.reason))
  })
  try {
    return await Promise.race([promise, fired])
  } finally {
    stop()
  }
}
