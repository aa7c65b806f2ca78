import { Writable } from 'node:stream'
import { wireLimits } from '@mynah/replication/protocol'
import { expect, test } from 'vitest'
import { LiveStream } from '../src/http/live-stream.js'
import { serverLimits } from '../src/limits.js'
import { ManualEnv } from './manual-env.js'

const incarnation = 'ab'.repeat(16)
const at = (seq: number) => ({ incarnation, seq })

/** A sink that takes one write and then none until `take` is called. */
class SlowSink extends Writable {
  readonly written: string[] = []
  #done: (() => void) | undefined

  constructor(readonly slow: boolean) {
    super({ highWaterMark: 1, decodeStrings: false })
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    if (this.slow) this.#done = done
    else done()
  }

  async take(): Promise<void> {
    this.#done?.()
    await new Promise((resolve) => setImmediate(resolve))
  }

  get seqs(): number[] {
    return this.written.filter((line) => line !== '\n').map((line) => Number(/\.(\d+)"/.exec(line)?.[1]))
  }
}

/** Lets `drain` of what was written synchronously come. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('an idle reader is told at once', () => {
  const sink = new SlowSink(false)
  new LiveStream(sink, new ManualEnv()).tell(at(7))
  expect(sink.written).toEqual([`{"position":"${incarnation}.7"}\n`])
})

test('a reader that does not read costs one position and then gets the newest', async () => {
  const sink = new SlowSink(true)
  const env = new ManualEnv()
  const stream = new LiveStream(sink, env)
  for (let seq = 1; seq <= 1_000; seq++) {
    stream.tell(at(seq))
    env.advance(serverLimits.liveRestMs)
  }
  env.advance(10 * wireLimits.heartbeatMs)
  expect(sink.seqs).toEqual([1])
  expect(sink.writableLength).toBeLessThan(100)
  await sink.take()
  expect(sink.seqs).toEqual([1, 1_000])
})

test('a flood becomes a line for each rest, and the last of it is told', async () => {
  const sink = new SlowSink(false)
  const env = new ManualEnv()
  const stream = new LiveStream(sink, env)
  for (let seq = 1; seq <= 100; seq++) stream.tell(at(seq))
  await settled()
  env.advance(serverLimits.liveRestMs)
  await settled()
  env.advance(serverLimits.liveRestMs)
  expect(sink.seqs).toEqual([1, 100])
})

test('a quiet stream beats, and a stopped one leaves no timer', async () => {
  const sink = new SlowSink(false)
  const env = new ManualEnv()
  const stream = new LiveStream(sink, env)
  for (let beat = 0; beat < 3; beat++) {
    env.advance(wireLimits.heartbeatMs)
    await settled()
  }
  expect(sink.written).toEqual(['\n', '\n', '\n'])
  stream.end()
  stream.tell(at(9))
  await settled()
  expect(env.timers).toBe(0)
  expect(sink.written).toHaveLength(3)
  expect(sink.writableFinished).toBe(true)
})

test('a sign of life does not overtake what is to be told', async () => {
  const sink = new SlowSink(false)
  const env = new ManualEnv()
  const stream = new LiveStream(sink, env)
  const waiting: (() => void)[] = []
  const calls: string[] = []
  stream.heed({ settled: (run) => waiting.push(run), stop: () => calls.push('stop') })
  env.advance(wireLimits.heartbeatMs - 1)
  stream.tell(at(1))
  stream.tell(at(2))
  env.advance(1)
  await settled()
  expect(sink.seqs).toEqual([1])
  for (const run of waiting) run()
  await settled()
  expect(sink.written).toHaveLength(2)
  expect(sink.seqs).toEqual([1, 2])
  stream.end()
  expect(calls).toEqual(['stop'])
})

test('a reader that went away leaves no timer', async () => {
  const sink = new SlowSink(false)
  const env = new ManualEnv()
  const stream = new LiveStream(sink, env)
  sink.destroy()
  await settled()
  stream.tell(at(1))
  expect(env.timers).toBe(0)
})
