/** Runs tasks one after another. One that fails does not hinder the next. */
export class Serial {
  #last: Promise<unknown> | undefined

  /** Begins at once, in this very call, when nothing is running. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last === undefined ? task() : this.#last.then(task, task)
    const settled = (): void => {
      if (this.#last === result) this.#last = undefined
    }
    this.#last = result
    result.then(settled, settled)
    return result
  }
}
