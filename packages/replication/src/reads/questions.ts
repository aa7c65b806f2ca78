import type { Env } from '@mynah/core'
import { wireLimits } from '../protocol/names.js'
import { type Deferred, deferred } from '../timing/deferred.js'

/** Something that is asked for. */
export interface Question<Of, Answer> {
  readonly of: Of
  readonly answer: Deferred<Answer>
}

/** What is asked together, and by what. */
export interface QuestionsOptions<Of, Answer> {
  readonly env: Pick<Env, 'yield'>
  readonly keyOf: (of: Of) => string
  /** How long whoever asks for the same shares the answer. */
  readonly shared: 'until asked' | 'until answered'
  /**
   * Settles the questions; where it rejects, so do those that are open then. Calls `asking` right before anything is
   * sent, or when nothing will be.
   */
  readonly ask: (asked: ReadonlyMap<string, Question<Of, Answer>>, asking: () => void) => Promise<void>
}

/** Gathers what is asked for in one tick, to be asked together, as much as one request takes. */
export class Questions<Of, Answer> {
  readonly #options: QuestionsOptions<Of, Answer>
  readonly #open = new Map<string, Question<Of, Answer>>()
  #gathered = new Map<string, Question<Of, Answer>>()

  constructor(options: QuestionsOptions<Of, Answer>) {
    this.#options = options
  }

  ask(of: Of): Promise<Answer> {
    const key = this.#options.keyOf(of)
    let question = this.#open.get(key)
    if (question === undefined) {
      question = { of, answer: deferred() }
      this.#open.set(key, question)
      this.#gathered.set(key, question)
      if (this.#gathered.size === 1) void this.#flush()
    }
    return question.answer.promise
  }

  async #flush(): Promise<void> {
    await this.#options.env.yield()
    const gathered = [...this.#gathered]
    this.#gathered = new Map()
    for (let start = 0; start < gathered.length; start += wireLimits.fetchLeaves)
      void this.#run(new Map(gathered.slice(start, start + wireLimits.fetchLeaves)))
  }

  async #run(batch: ReadonlyMap<string, Question<Of, Answer>>): Promise<void> {
    const forget = () => {
      for (const [key, question] of batch) if (this.#open.get(key) === question) this.#open.delete(key)
    }
    try {
      await this.#options.ask(batch, () => {
        if (this.#options.shared === 'until asked') forget()
      })
    } catch (error) {
      for (const { answer } of batch.values()) answer.reject(error)
    } finally {
      forget()
    }
  }
}
