/** A clock that ticks at whole multiples of its interval (each full second, say), and never twice at once. */
export interface Ticks {
  /** Ticks that were left out: the one before was still at work, or the process or machine was asleep. */
  skipped(): number
  /** No further tick begins; resolves when the one that is at work has ended. */
  stop(): Promise<void>
}

/** The next whole multiple of the interval after `now`, and after the tick before. Milliseconds since 1970. */
export function nextTick(now: number, before: number, intervalMs: number): number {
  return (Math.floor(Math.max(now, before) / intervalMs) + 1) * intervalMs
}

/**
 * Calls `work` at each tick with the tick's time. A tick that comes while `work` still runs is skipped, not queued.
 * What `work` rejects with goes to `onError`, and the ticking goes on.
 */
export function startTicks(
  intervalMs: number,
  work: (at: Date) => Promise<void>,
  onError: (error: unknown) => void,
): Ticks {
  let skipped = 0
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout
  let tick = nextTick(Date.now(), 0, intervalMs)

  function schedule(): void {
    timer = setTimeout(fire, Math.max(0, tick - Date.now()))
  }

  function fire(): void {
    const now = Date.now()
    if (now < tick - 10 * intervalMs) {
      // The clock was set back: without this the logger would wait until the old time comes round again.
      tick = nextTick(now, 0, intervalMs)
      schedule()
      return
    }
    // After a sleep only the newest of the ticks that have gone by is still worth a sample.
    const missed = Math.max(0, Math.floor((now - tick) / intervalMs))
    skipped += missed
    tick += missed * intervalMs
    if (running === undefined) {
      running = work(new Date(tick))
        .catch(onError)
        .finally(() => {
          running = undefined
        })
    } else {
      skipped += 1
    }
    tick = nextTick(now, tick, intervalMs)
    schedule()
  }

  schedule()
  return {
    skipped: () => skipped,
    async stop() {
      clearTimeout(timer)
      await running
    },
  }
}
