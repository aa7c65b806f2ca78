import { type LookupAddress, type LookupOptions, lookup as nodeLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { buildConnector } from 'undici'
import { type AddressClass, addressClass } from './address-class.js'

/** Finds the addresses of a host's name, as `dns.lookup` does. */
export type Lookup = (
  hostname: string,
  options: LookupOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Asks the system. */
export const systemLookup: Lookup = (hostname, options, callback) =>
  nodeLookup(hostname, { ...options, all: true }, callback)

/** Where connections may lead. */
export interface ConnectOptions {
  readonly timeoutMs: number
  readonly lookup: Lookup
  /** Addresses of these classes only; any, without. */
  readonly within?: readonly AddressClass[]
}

/**
 * Opens connections for undici, to allowed addresses only. What is checked is the very address that the socket is
 * connected to: a name may lead elsewhere each time that it is looked up.
 */
export function guardedConnect({ timeoutMs, lookup, within }: ConnectOptions): buildConnector.connector {
  const allows = (address: string) => {
    const of = addressClass(address)
    return within === undefined || (of !== undefined && within.includes(of))
  }
  const guarded: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = addresses?.filter(({ address }) => allows(address)) ?? []
      const [first] = allowed
      if (error !== null) callback(error, [])
      else if (first === undefined) callback(notAllowed(hostname), [])
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
  const connect = buildConnector({ timeout: timeoutMs, lookup: guarded })
  return (options, callback) => {
    // No name: nobody looks it up.
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
    if (addressClass(host) !== undefined && !allows(host)) callback(notAllowed(host), null)
    else connect(options, callback)
  }
}

function notAllowed(host: string): Error {
  return new Error(`${host} leads to an address that the mirror that named it may not name`)
}
