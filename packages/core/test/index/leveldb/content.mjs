/** Keys that a batch may set. */
const KEYS = 3_000

/** What batch number `n` writes. */
export function batchOf(n) {
  const size = 1 + ((n * 37) % 250)
  const batch = []
  for (let i = 0; i < size; i++) {
    const k = (n * 7919 + i * 104_729) % KEYS
    // Some compress, others do not.
    const text = k % 3 === 0 ? 'x'.repeat((k * n) % 300) : ((k + 1) * (n + 1) * 2_654_435_761).toString(36)
    batch.push({ type: (k + n) % 11 === 0 ? 'del' : 'put', key: `key ${k}`, value: `${n} ${text}` })
  }
  batch.push({ type: 'put', key: 'root', value: String(n) })
  return batch
}

/** What stands there after batches 0 to `n`. */
export function stateAfter(n) {
  const state = new Map()
  for (let i = 0; i <= n; i++) {
    for (const { type, key, value } of batchOf(i)) {
      if (type === 'put') state.set(key, value)
      else state.delete(key)
    }
  }
  return state
}
