import { unlessAborted } from '@mynah/core/replica'
import { MirrorUnreachableError } from '../errors.js'

/**
 * What the network gave. Rejects with the signal's reason when that comes first, and with MirrorUnreachableError when it
 * gave nothing.
 */
export async function reached<T>(address: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  try {
    return await unlessAborted(ask(), signal)
  } catch (cause) {
    signal.throwIfAborted()
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new MirrorUnreachableError(address, detail, { cause })
  }
}
