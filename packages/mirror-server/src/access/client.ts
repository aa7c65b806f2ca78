import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** Who asks, as far as limits go: a token, or where none tells them apart, an address. */
export function clientOf({ grant, ip }: Pick<FastifyRequest, 'grant' | 'ip'>): string {
  return grant?.id ?? networkOf(ip)
}

/** What one subscriber has: an address, of IPv6 the first half, as the other is his to choose. */
export function networkOf(ip: string): string {
  if (isIP(ip) !== 6) return ip
  const mapped = /^::ffff:([0-9.]+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  const [left = '', right] = ip.replace(/%.*$/, '').split('::')
  const groups = left === '' ? [] : left.split(':')
  const last = right === undefined || right === '' ? [] : right.split(':')
  // An IPv4 address at the end stands for two groups, of the other half.
  const gap = 8 - groups.length - last.length - (last.at(-1)?.includes('.') ? 1 : 0)
  const all = right === undefined ? groups : [...groups, ...Array<string>(gap).fill('0'), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
