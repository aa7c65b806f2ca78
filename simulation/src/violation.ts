/** A promise of the product that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'

  /** @param check which promise, in a few words that stay the same */
  constructor(
    readonly check: string,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`${check}: ${detail}`, options)
  }
}
