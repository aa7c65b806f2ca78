import type { TransportAnswer } from '@mynah/replication'

/** What somebody answers who is not the mirror. */
function page(status: number, title: string): TransportAnswer {
  const html = `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: new TextEncoder().encode(html),
  }
}

/** A captive portal. */
export const portalPage = page(200, 'Welcome! Log in to use this network')

/** What a proxy says of a server that it cannot get through to. */
export const proxyPages: readonly TransportAnswer[] = [
  page(502, '502 Bad Gateway'),
  page(503, '503 Service Unavailable'),
  page(504, '504 Gateway Time-out'),
]
