import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import type { ByteBudget } from './byte-budget.js'

/**
 * A body that tells no length: its bytes count as they come, as it may be as long as any, and most are short.
 * Fails with `MYNAH_BUSY` where there is no room for more of it.
 */
export function countedBody(
  body: IncomingMessage,
  { budget, client, answer }: { budget: ByteBudget; client: string; answer: ServerResponse },
): Transform {
  const held: (() => void)[] = []
  const release = (): void => {
    for (const one of held.splice(0)) one()
  }
  const counted = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      try {
        held.push(budget.take(chunk.length, client))
        done(null, chunk)
      } catch (error) {
        done(error as Error)
      }
    },
  })
  // Also when whoever read it has gone, as of a body that is too long.
  counted.on('error', () => {})
  answer.once('close', () => {
    release()
    counted.destroy()
  })
  return body.pipe(counted)
}
