import type { Document, Stored, Value } from '@mynah/core'

/** Takes an answer of a mirror's routes for documents apart; what is not of the shape goes to `fail`. */
export class ShapedAnswer {
  readonly #members: { readonly [member: string]: Value | undefined }
  readonly #fail: (detail: string) => never

  constructor(value: Value, fail: (detail: string) => never) {
    this.#fail = fail
    this.#members = isObject(value) ? value : fail('an object was expected')
  }

  member(name: string): Value | undefined {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined
  }

  text(name: string): string {
    const value = this.member(name)
    return typeof value === 'string' ? value : this.#fail(`${name} is no text`)
  }

  flag(name: string): boolean {
    const value = this.member(name)
    return typeof value === 'boolean' ? value : this.#fail(`${name} is neither true nor false`)
  }

  count(name: string): number {
    const value = this.member(name)
    return Number.isSafeInteger(value) ? (value as number) : this.#fail(`${name} is no count`)
  }

  date(name: string): Date | undefined {
    const value = this.member(name)
    return value === undefined || value instanceof Date ? value : this.#fail(`${name} is no time`)
  }

  list(name: string): readonly Value[] {
    const value = this.member(name)
    return Array.isArray(value) ? (value as readonly Value[]) : this.#fail(`${name} is no list`)
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((text) =>
      typeof text === 'string' ? text : this.#fail(`${name} has no texts`),
    )
  }

  /** All of it, as a document that was stored. */
  document<T extends object = Document>(): Stored<T> {
    this.text('id')
    this.text('rev')
    return this.#members as unknown as Stored<T>
  }
}

function isObject(value: Value): value is { readonly [member: string]: Value } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
