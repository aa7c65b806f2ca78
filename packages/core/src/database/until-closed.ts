import { ClosedError, MynahError } from '../errors.js'
import type { Context } from './context.js'

/** A store that is closed under a read fails in its own words: here it is a `ClosedError`. */
export async function untilClosed<R>(context: Pick<Context, 'closing'>, run: Promise<R>): Promise<R> {
  try {
    return await run
  } catch (error) {
    throw inOurWords(context, error)
  }
}

/** The same for a scan. */
export async function* scanUntilClosed<T>(
  context: Pick<Context, 'closing'>,
  scan: AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    yield* scan
  } catch (error) {
    throw inOurWords(context, error)
  }
}

function inOurWords({ closing }: Pick<Context, 'closing'>, error: unknown): unknown {
  return closing && !(error instanceof MynahError) ? new ClosedError() : error
}
