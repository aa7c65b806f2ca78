/** The parameters of a path's query: text, or several of one name. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/** The query of an address, as a router gives it: several of one name become a list. */
export function queryOf(parameters: URLSearchParams): Query {
  const query: Record<string, string | readonly string[]> = Object.create(null)
  for (const name of new Set(parameters.keys())) {
    const [first = '', ...more] = parameters.getAll(name)
    query[name] = more.length === 0 ? first : [first, ...more]
  }
  return query
}
