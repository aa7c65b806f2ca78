import { sourceOf } from './follower.js'

/**
 * The addresses at which other mirrors have a database, by its name, of mirrors that have all of theirs, or one.
 * @throws TypeError for what is no mirror's address
 */
export function advertised(mirrors: readonly string[]): (database: string) => readonly string[] {
  const sources = mirrors.map((url) => sourceOf({ url }))
  return (database) =>
    sources
      .filter(({ name }) => name === undefined || name === database)
      .map(({ root }) => `${root}/${database}`)
}
