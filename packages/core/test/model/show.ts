/** A value as text, for people. */
export function show(value: unknown): string {
  const text = JSON.stringify(plain(value))
  return text === undefined ? 'undefined' : text
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value === undefined) return '(undefined)'
  if (value instanceof Date) return `(date ${value.getTime()})`
  if (value instanceof Uint8Array) return `(${value.length} bytes ${Buffer.from(value).toString('hex')})`
  if (value instanceof Error) return `(${value.name}: ${value.message})`
  if (Object.is(value, -0)) return '-0'
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, plain(of)]))
}
