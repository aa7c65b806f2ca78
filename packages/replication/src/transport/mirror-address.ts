import { isDatabaseName } from '../protocol/names.js'

/**
 * A mirror's address in its one spelling: its base and the database's name, as in `http://host:8800/v1/sensors`.
 * @throws TypeError when it is no such address
 */
export function mirrorAddress(url: string): string {
  // It may have a password in it, so it is not told.
  if (!URL.canParse(url))
    throw new TypeError("A mirror's address is a URL, as in http://host:8800/v1/sensors")
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new TypeError(`A mirror is reached by http: or https:, not ${parsed.protocol}`)
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw new TypeError("A mirror's address has no user, password, query or fragment")
  }
  const path = parsed.pathname.replace(/\/+$/, '')
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (!path.endsWith(`/v1/${name}`) || !isDatabaseName(name)) {
    throw new TypeError(`A mirror's address ends with /v1/ and a database's name: ${parsed.origin}${path}`)
  }
  return `${parsed.origin}${path}`
}

/**
 * A token as it goes into a header.
 * @throws TypeError when it does not, as one with the end of its line
 */
export function bearerToken(token: string): string {
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError('A token is of letters, digits and signs of ASCII, without spaces and line ends')
  }
  return token
}

/** The database's name in an address. */
export function databaseOf(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1)
}
