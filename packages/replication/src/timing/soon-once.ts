import type { Env } from '@mynah/core'

/** What calls soon, once for all that asks until then. */
export function soonOnce(env: Env, call: () => void): () => void {
  let due = false
  return () => {
    if (due) return
    due = true
    void env.yield().then(() => {
      due = false
      call()
    })
  }
}
