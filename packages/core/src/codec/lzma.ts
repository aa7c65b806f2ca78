import lzma, { type NativeStream } from 'lzma-native'

/** How hard to compress: `fast` seals two to three times as many bytes a second, `best` leaves a few per cent fewer. */
export type Effort = 'fast' | 'best'

/** A smaller dictionary is not allowed by the format. */
const DICTIONARY_BYTES_MIN = 4096
/** What the decoder needs besides its dictionary, with some room. */
const DECODER_BYTES = 1024 * 1024
/** LZMA expands at most about 7,000-fold, so that one step past the declared length costs no more than 15 MB. */
const DECODE_STEP_BYTES = 2048
const OUTPUT_BYTES_MAX = 65_536

/** Measured on columns: see docs/formats/shard.md. */
const TUNING = {
  fast: { mode: lzma.MODE_FAST, mf: lzma.MF_HC4, niceLen: 273, lc: 3, lp: 0, pb: 0 },
  best: { mode: lzma.MODE_NORMAL, mf: lzma.MF_BT4, niceLen: 128, lc: 3, lp: 0, pb: 0 },
} as const

/**
 * Compresses into an .xz stream without a check of its own, off the event loop. Needs memory of about 12 times the
 * length, and frees it at the end.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export async function compress(bytes: Uint8Array, options: { readonly effort: Effort }): Promise<Uint8Array> {
  const stream = new lzma.Stream()
  try {
    const filter = {
      id: lzma.FILTER_LZMA2,
      options: { ...TUNING[options.effort], dictSize: dictionaryBytes(bytes.length) },
    }
    stream.streamEncoder_([filter], lzma.CHECK_NONE)
    stream.setBufsize(Math.min(OUTPUT_BYTES_MAX, dictionaryBytes(bytes.length)))
    const coder = new Coder(stream)
    if (bytes.length > 0) await coder.step(bytes)
    await coder.step(null)
    return coder.output()
  } finally {
    stream.resetUnderlying()
  }
}

/**
 * Decompresses what `compress` made, off the event loop. Rejects with an Error where the bytes are no single whole .xz
 * stream of exactly `rawLength` bytes, or need a larger dictionary than that length does; what comes out beyond it is
 * bounded.
 */
export async function decompress(bytes: Uint8Array, rawLength: number): Promise<Uint8Array> {
  const stream = new lzma.Stream()
  try {
    stream.streamDecoder_(dictionaryBytes(rawLength) + DECODER_BYTES, 0)
    stream.setBufsize(Math.min(OUTPUT_BYTES_MAX, Math.max(DICTIONARY_BYTES_MIN, rawLength + 1)))
    const coder = new Coder(stream)
    for (let at = 0; at < bytes.length && !coder.ended; at += DECODE_STEP_BYTES) {
      await coder.step(bytes.subarray(at, at + DECODE_STEP_BYTES))
      if (coder.outputBytes > rawLength) throw new Error('more bytes than were declared')
    }
    if (!coder.ended) throw new Error('the compressed bytes end too early')
    if (coder.inputBytes !== bytes.length) throw new Error('bytes after the end of the compressed ones')
    if (coder.outputBytes !== rawLength) throw new Error('fewer bytes than were declared')
    return coder.output()
  } finally {
    stream.resetUnderlying()
  }
}

/** The power of two that holds the block: then the header of the stream names it exactly. */
function dictionaryBytes(length: number): number {
  let bytes = DICTIONARY_BYTES_MIN
  while (bytes < length) bytes *= 2
  return bytes
}

/** Runs a native stream step by step on libuv's pool; one step at a time, for a second one would block the caller. */
class Coder {
  ended = false
  inputBytes = 0
  outputBytes = 0
  readonly #stream: NativeStream
  readonly #pieces: Uint8Array[] = []

  constructor(stream: NativeStream) {
    this.#stream = stream
  }

  /** Resolves when the input is used up, or the stream at its end; null ends the input. */
  step(input: Uint8Array | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.bufferHandler = (output, _processed, error, totalIn) => {
        if (totalIn !== null) this.inputBytes = totalIn
        if (output instanceof Uint8Array) {
          this.#pieces.push(output)
          this.outputBytes += output.length
          return
        }
        if (output === null) this.ended = true
        // Not at once: the stream's lock is taken again after this call, and a next step would hold it meanwhile.
        setImmediate(() => (error instanceof Error ? reject(error) : resolve()))
      }
      this.#stream.code(input, true)
    })
  }

  output(): Uint8Array {
    const whole = new Uint8Array(this.outputBytes)
    let at = 0
    for (const piece of this.#pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}
