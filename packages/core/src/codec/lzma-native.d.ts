/** What `lzma.ts` uses of lzma-native; its published types are wrong about much of it. */
declare module 'lzma-native' {
  export interface NativeStream {
    /**
     * Called, always several times in one turn, when `code` has worked: with each piece of output (a Buffer that is a
     * copy); with null at the end of the stream or with the error; with undefined and the number of inputs taken.
     */
    bufferHandler: (
      output: Uint8Array | null | undefined,
      processed: number | undefined,
      error: Error | null | undefined,
      totalIn: number | null,
    ) => void
    /** Takes a copy of the input, null for the end of it. */
    code(input: Uint8Array | null, async: boolean): void
    setBufsize(bytes: number): void
    /** Frees all memory. */
    resetUnderlying(): void
    streamEncoder_(filters: readonly { readonly id: string; readonly options: object }[], check: number): void
    streamDecoder_(memoryLimit: number, flags: number): void
  }
  const native: {
    readonly Stream: new () => NativeStream
    readonly FILTER_LZMA2: string
    readonly CHECK_NONE: number
    readonly MODE_FAST: number
    readonly MODE_NORMAL: number
    readonly MF_HC4: number
    readonly MF_BT4: number
  }
  export default native
}
