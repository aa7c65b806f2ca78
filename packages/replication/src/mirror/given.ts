import type { Position, TakeCommit } from '@mynah/core/replica'

interface Span {
  readonly before: number
  readonly position: Position
}

/** What a mirror gave as it lies there: stretches of this history whose documents all came from it, with their bodies. */
export class Given {
  /** In order, none touching another. */
  #spans: Span[] = []

  /** They come in order. */
  add({ before, position }: Pick<TakeCommit, 'before' | 'position'>): void {
    const last = this.#spans.at(-1)
    if (last !== undefined && last.position.seq === before)
      this.#spans.splice(-1, 1, { before: last.before, position })
    else this.#spans.push({ before, position })
  }

  /** Up to where nothing after `since` need be pushed to that mirror. */
  upTo(since: number): Position | undefined {
    return this.#spans.find(({ before, position }) => before <= since && since < position.seq)?.position
  }

  forget(): void {
    this.#spans = []
  }
}
