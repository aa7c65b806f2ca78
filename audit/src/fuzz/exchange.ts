import { connect } from 'node:net'

/** What came of a request. */
export type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly head: string; readonly body: string }
  /** The other side closed without a word. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused'; readonly cause: string }
  | { readonly kind: 'silent' }

/** Of an answer, so much is kept; the rest is counted as read. */
const KEPT_BYTES = 64 * 1024

/** After so long without an answer to what may be part of a request, it is said that no more comes. */
const NO_MORE_MS = 300

/** Sends bytes on a connection of their own. An answer without end is left once its head is there. */
export function exchange(
  port: number,
  { bytes, whole }: { readonly bytes: Uint8Array; readonly whole: boolean },
  silenceMs: number,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let kept = ''
    const conclude = (outcome: Outcome): void => {
      clearTimeout(timer)
      clearTimeout(noMore)
      socket.destroy()
      resolve(outcome)
    }
    const answered = (): Outcome => answerOf(kept) ?? { kind: 'closed' }
    const timer = setTimeout(() => conclude(kept === '' ? { kind: 'silent' } : answered()), silenceMs)
    socket.on('data', (chunk) => {
      if (kept.length < KEPT_BYTES) kept += chunk.toString('latin1')
      const answer = answerOf(kept)
      if (answer !== undefined && isOver(answer, bytes)) conclude(answer)
    })
    // A reset after an answer is how a server ends with a body that it does not want.
    socket.on('error', (error) =>
      conclude(
        kept === ''
          ? { kind: 'refused', cause: (error as NodeJS.ErrnoException).code ?? error.message }
          : answered(),
      ),
    )
    socket.on('end', () => conclude(answered()))
    socket.on('close', () => conclude(answered()))
    socket.write(bytes)
    // Of a whole request this would be a client that went: its answer could not be seen to be missing.
    const noMore = whole ? undefined : setTimeout(() => socket.end(), NO_MORE_MS)
  })
}

type Answer = Outcome & { readonly kind: 'answer' }

/** The first answer of what came, as far as it came; a word in between is none. */
function answerOf(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = text.slice(0, end)
  const rest = text.slice(end + 4)
  const status = Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(head)?.[1])
  if (status === 100) return answerOf(rest)
  if (Number.isNaN(status)) return undefined
  const length = lengthOf(head)
  return { kind: 'answer', status, head, body: length === undefined ? rest : rest.slice(0, length) }
}

function isOver({ status, head, body }: Answer, sent: Uint8Array): boolean {
  if (status === 204 || status === 304) return true
  if (Buffer.from(sent.subarray(0, 5)).toString('latin1').trim() === 'HEAD') return true
  // It does not end, or the kept part of it does not.
  if (status === 200 && /no-transform|x-ndjson/i.test(head)) return true
  const length = lengthOf(head)
  return length === undefined ? body.endsWith('0\r\n\r\n') : body.length >= Math.min(length, KEPT_BYTES / 2)
}

function lengthOf(head: string): number | undefined {
  const length = /^content-length: ([0-9]+)/im.exec(head)?.[1]
  return length === undefined ? undefined : Number(length)
}
