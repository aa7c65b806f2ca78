import { isIPv4, isIPv6 } from 'node:net'

/**
 * Who can be meant by an address of IP: everybody's `public`; somebody's own network, `private`, or behind a provider's
 * translation, `shared`; this very machine, `loopback`; or `special`, where no mirror is: link-local, clouds' metadata,
 * multicast, documentation, translations, unspecified.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
 */
export type AddressClass = 'public' | 'private' | 'shared' | 'loopback' | 'special'

type Block = readonly [network: string, bits: number, of: AddressClass]

/** The first that fits counts; what none fits is public. */
const IPV4: readonly Block[] = [
  // Metadata of clouds, outside of the link-local block.
  ['100.100.100.200', 32, 'special'],
  ['168.63.129.16', 32, 'special'],
  ['0.0.0.0', 8, 'special'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'shared'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'special'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'special'],
  ['192.0.2.0', 24, 'special'],
  ['192.88.99.0', 24, 'special'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'special'],
  ['198.51.100.0', 24, 'special'],
  ['203.0.113.0', 24, 'special'],
  ['224.0.0.0', 3, 'special'],
]

/** The first that fits counts; what none fits is special. */
const IPV6: readonly Block[] = [
  ['::1', 128, 'loopback'],
  ['fd00:ec2::254', 128, 'special'],
  ['fc00::', 7, 'private'],
  // Teredo and others that are no places, documentation, 6to4.
  ['2001::', 23, 'special'],
  ['2001:db8::', 32, 'special'],
  ['2002::', 16, 'special'],
  ['3fff::', 20, 'special'],
  ['2000::', 3, 'public'],
]

/** Behind these an IPv4 address stands, and counts: mapped, and translated on the way (NAT64). */
const EMBEDDING = ['::ffff:0:0', '64:ff9b::'] as const
const EMBEDDING_BYTES = 12

/** Undefined for what is no address of IP, as a name. In an address of a URL, brackets are left out. */
export function addressClass(text: string): AddressClass | undefined {
  const [address = ''] = text.split('%', 1)
  if (isIPv4(address)) return classIn(IPV4, bytesOf4(address)) ?? 'public'
  if (!isIPv6(address)) return undefined
  const bytes = bytesOf6(address)
  if (EMBEDDING.some((prefix) => begins(bytes, bytesOf6(prefix), 8 * EMBEDDING_BYTES)))
    return classIn(IPV4, bytes.slice(EMBEDDING_BYTES)) ?? 'public'
  return classIn(IPV6, bytes) ?? 'special'
}

/** Of the host of an http(s) URL; undefined for a name, which may lead anywhere. */
export function hostClass(url: string): AddressClass | undefined {
  const { hostname } = new URL(url)
  if (/^(.+\.)?localhost\.?$/.test(hostname)) return 'loopback'
  return addressClass(hostname.replace(/^\[(.*)\]$/, '$1'))
}

/** Where a mirror may be that another one names, by both addresses; the token is another question. */
export function namedWithin(by: string, address: string): readonly AddressClass[] {
  // A name may lead anywhere tomorrow, so it proves nothing: only an address as it was given does.
  const own = hostClass(by) ?? 'public'
  if (new URL(address).protocol === 'https:') return [...new Set([...real(own), 'public' as const])]
  return new URL(by).protocol === 'https:' ? [] : real(own)
}

function real(of: AddressClass): readonly AddressClass[] {
  return of === 'special' ? [] : [of]
}

function classIn(blocks: readonly Block[], bytes: readonly number[]): AddressClass | undefined {
  const parse = bytes.length === 4 ? bytesOf4 : bytesOf6
  return blocks.find(([network, bits]) => begins(bytes, parse(network), bits))?.[2]
}

function begins(bytes: readonly number[], network: readonly number[], bits: number): boolean {
  return bytes.every((byte, at) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - 8 * at))) & 0xff
    return (byte & mask) === (network[at]! & mask)
  })
}

function bytesOf4(address: string): readonly number[] {
  return address.split('.').map(Number)
}

/** Of a valid address, also one that ends in dotted decimals. */
function bytesOf6(address: string): readonly number[] {
  const groups = (part: string) =>
    part.split(':').flatMap((group) => {
      if (group === '') return []
      if (group.includes('.')) return bytesOf4(group)
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 0xff]
    })
  const [head = '', tail] = address.split('::')
  const [first, last] = [groups(head), groups(tail ?? '')]
  return [...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last]
}
