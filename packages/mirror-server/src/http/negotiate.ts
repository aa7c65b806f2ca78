import { RequestRefusedError } from '@mynah/replication/serve'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** One element of an `Accept`: its type, how exact it is, and how much it is wanted. */
interface Wanted {
  readonly type: string
  readonly quality: number
}

/**
 * The type that the answer is to have: of those on offer the one that `Accept` wants most, the first of several.
 * Without the header the first. Says in `Vary` that it was chosen so.
 * @throws RequestRefusedError `MYNAH_NOT_ACCEPTABLE`
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
export function negotiate<T extends string>(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  offers: readonly [T, ...T[]],
): T {
  if (offers.length > 1) addVary(reply, 'accept')
  const accept = headers.accept ?? '*/*'
  if (accept === '*/*') return offers[0]
  const exact = offers.find((offer) => offer === accept)
  if (exact !== undefined) return exact
  if (accept.trim() === '') return offers[0]
  const wanted = accept.split(',').map(wantedOf)
  let best: T | undefined
  let most = 0
  for (const offer of offers) {
    const quality = qualityOf(wanted, offer)
    if (quality <= most) continue
    best = offer
    most = quality
  }
  if (best === undefined)
    throw new RequestRefusedError('MYNAH_NOT_ACCEPTABLE', `This is to be had as ${offers.join(' or ')}`)
  return best
}

/** Whether gzip may be sent, by `Accept-Encoding`. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false
  const codings = header.split(',').map(wantedOf)
  const named = codings.find(({ type }) => type === 'gzip' || type === 'x-gzip')
  return (named ?? codings.find(({ type }) => type === '*'))?.quality !== 0 && hasGzip(codings)
}

function hasGzip(codings: readonly Wanted[]): boolean {
  return codings.some(({ type }) => type === 'gzip' || type === 'x-gzip' || type === '*')
}

/** Adds a name to `Vary`, once. */
export function addVary(reply: FastifyReply, name: string): void {
  const before = reply.getHeader('vary')
  if (before === undefined) {
    reply.header('vary', name)
    return
  }
  const names = String(before).split(/\s*,\s*/)
  if (!names.includes(name)) reply.header('vary', [...names, name].join(', '))
}

function wantedOf(element: string): Wanted {
  const [type = '', ...parameters] = element.split(';')
  const quality = parameters.map((one) => /^\s*q=([01](?:\.[0-9]{0,3})?)\s*$/i.exec(one)?.[1]).find(Boolean)
  return {
    type: type.trim().toLowerCase(),
    quality: quality === undefined ? 1 : Math.min(1, Number(quality)),
  }
}

/** Of the most exact element that fits. */
function qualityOf(wanted: readonly Wanted[], offer: string): number {
  for (const pattern of [offer, `${offer.split('/')[0]}/*`, '*/*']) {
    const fits = wanted.filter(({ type }) => type === pattern)
    if (fits.length > 0) return Math.max(...fits.map(({ quality }) => quality))
  }
  return 0
}
