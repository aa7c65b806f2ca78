import type { TransportAnswer, TransportRequest } from '@mynah/replication'
import type { ServedRequest } from '@mynah/replication/serve'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { Network } from '../src/network.js'
import { type NetworkFaults, noFaults } from '../src/network-faults.js'
import type { Handler } from '../src/network-host.js'
import { Random } from '../src/random.js'
import { Scheduler } from '../src/scheduler.js'
import { Trace } from '../src/trace.js'

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = ({ body }: { readonly body: Uint8Array }) => new TextDecoder().decode(body)

/** Answers with what it was sent, after some work. */
class Echo implements Handler {
  readonly served: { readonly atMs: number; readonly text: string }[] = []
  readonly abandoned: string[] = []
  workMs = 1

  constructor(readonly scene: Scene) {}

  async request({ body = bytes('') }: ServedRequest): Promise<TransportAnswer> {
    this.served.push({ atMs: this.scene.scheduler.nowMs, text: textOf({ body }) })
    await this.scene.scheduler.sleep(this.workMs, 'work')
    return { status: 200, headers: { 'content-type': 'text/plain' }, body }
  }

  async stream({ url }: ServedRequest, signal: AbortSignal) {
    signal.addEventListener('abort', () => this.abandoned.push(url))
    return { status: 200, headers: {}, body: this.#ticks(signal) }
  }

  async *#ticks(signal: AbortSignal) {
    for (let tick = 0; !signal.aborted; tick++) {
      yield bytes(`tick ${tick}\n`)
      await this.scene.scheduler.sleep(1_000, 'tick')
    }
  }
}

class Scene {
  readonly trace = new Trace()
  readonly scheduler = new Scheduler(this.trace)
  readonly network: Network
  readonly mirror = new Echo(this)
  readonly detach: ReturnType<Network['attach']>

  constructor(seed = 1, faults: Partial<NetworkFaults> = {}) {
    this.network = new Network({ scheduler: this.scheduler, random: new Random(seed), faults })
    this.detach = this.network.attach('m1', this.mirror)
  }

  asking(text = 'hello', options: Partial<TransportRequest> = {}): TransportRequest {
    return {
      method: 'POST',
      url: 'http://m1/v1/db/records',
      headers: {},
      body: bytes(text),
      answerBytesMax: 1_000,
      signal: new AbortController().signal,
      ...options,
    }
  }

  /** What the client sees, and when. */
  async ask(text = 'hello', options: Partial<TransportRequest> = {}): Promise<string> {
    const asked = this.network.transport('p1').request(this.asking(text, options))
    return this.outcome(asked.then((answer) => `${answer.status} ${textOf(answer)}`))
  }

  async outcome(asked: Promise<string>): Promise<string> {
    const seen = asked.catch((error: unknown) => (error as Error).message)
    await this.scheduler.until(seen)
    return seen
  }

  pass(ms: number): Promise<unknown> {
    return this.scheduler.until(new Promise(() => {}), ms)
  }
}

let scene: Scene
beforeEach(() => {
  scene = new Scene()
  // Time goes on whatever happens.
  const heart = () => void scene.scheduler.after(10_000, 'heart', heart)
  heart()
})

test('without faults what is sent is answered, after the delays of both ways', async () => {
  expect(await scene.ask()).toBe('200 hello')
  // Two for the connection, one each for request and answer, and the work.
  expect(scene.scheduler.nowMs).toBeCloseTo(4 * noFaults.latencyMs + 1)
  expect(scene.network.connections).toBe(0)
})

test('bytes are copied on the way', async () => {
  const body = bytes('mine')
  const asked = scene.network.transport('p1').request(scene.asking('', { body }))
  await scene.pass(1_000)
  body.fill(0)
  expect(textOf(await asked)).toBe('mine')
})

describe('a request', () => {
  /** One fault, what the client sees at once or after its patience, and how often it was done. */
  const cases: readonly (readonly [keyof NetworkFaults, RegExp, number, number])[] = [
    ['refused', /refused/, 100, 0],
    ['portal', /^200 .*<html>/, 100, 0],
    ['lostRequest', /no answer in time/, 60_100, 0],
    ['lostAnswer', /no answer in time/, 60_100, 1],
    ['cutRequest', /reset/, 100, 0],
    ['cutAnswer', /reset/, 100, 1],
    ['proxy', /^50[234] .*<html>/, 100, 0],
  ]
  test.each(cases)('%s', async (fault, seen, withinMs, done) => {
    scene.network.setFaults({ [fault]: 1 })
    expect(await scene.ask()).toMatch(seen)
    expect(scene.scheduler.nowMs).toBeLessThan(withinMs)
    expect(scene.scheduler.nowMs).toBeGreaterThan(withinMs > 1_000 ? 60_000 : 0)
    if (fault !== 'proxy') expect(scene.mirror.served).toHaveLength(done)
    scene.network.heal()
    expect(await scene.ask()).toBe('200 hello')
  })

  test('that a proxy failed may have been done or not', async () => {
    scene.network.setFaults({ proxy: 1 })
    for (let n = 0; n < 40; n++) await scene.ask()
    expect(scene.mirror.served.length).toBeGreaterThan(5)
    expect(scene.mirror.served.length).toBeLessThan(35)
  })

  test('that is repeated is done again, much later and after others', async () => {
    scene.network.setFaults({ repeated: 1, repeatedAfterMs: 60_000 })
    expect(await scene.ask('first')).toBe('200 first')
    scene.network.heal()
    expect(await scene.ask('second')).toBe('200 second')
    await scene.pass(1_000_000)
    expect(scene.mirror.served.map(({ text }) => text)).toEqual(['first', 'second', 'first'])
  })

  test('that was damaged looks whole and is not', async () => {
    const sent = 'a text of some length'
    scene.network.setFaults({ damagedRequest: 1 })
    for (let n = 0; n < 20; n++) await scene.ask(sent)
    const arrived = scene.mirror.served.map(({ text }) => text)
    expect(arrived.some((text) => text.length < sent.length)).toBe(true)
    expect(arrived.some((text) => text.length >= sent.length)).toBe(true)
    expect(arrived).not.toContain(sent)
    scene.network.setFaults({ damagedRequest: 0, damagedAnswer: 1 })
    for (let n = 0; n < 20; n++) expect(await scene.ask(sent)).not.toBe(`200 ${sent}`)
    expect(scene.mirror.served.slice(20).every(({ text }) => text === sent)).toBe(true)
  })

  test('whose answer is slow comes late, or stops', async () => {
    scene.network.setFaults({ slow: 1, slowMs: 15_000 })
    const seen = new Set<string>()
    for (let n = 0; n < 40; n++) seen.add(await scene.ask())
    expect(seen).toEqual(new Set(['200 hello', 'the answer stopped']))
  })

  test('whose answer is too long fails', async () => {
    expect(await scene.ask('x'.repeat(1_001))).toContain('more than 1000 bytes')
  })

  test('overtakes another where delays spread', async () => {
    scene.network.setFaults({ spread: 1 })
    const transport = scene.network.transport('p1')
    const texts = Array.from({ length: 50 }, (_, n) => String(n))
    const answered: string[] = []
    const asked = texts.map(async (text) => {
      answered.push(textOf(await transport.request(scene.asking(text))))
    })
    await scene.scheduler.until(Promise.all(asked))
    const arrived = scene.mirror.served.map(({ text }) => text)
    expect(arrived).not.toEqual(texts)
    expect(answered).not.toEqual(arrived)
    expect([...answered].sort()).toEqual([...texts].sort())
  })

  test('that is aborted ends at once, and leaves nothing planned', async () => {
    for (const afterMs of [0, 3, 12, 17]) {
      const abort = new AbortController()
      const asked = scene.network.transport('p1').request(scene.asking('x', { signal: abort.signal }))
      await scene.pass(afterMs)
      abort.abort(new Error('enough'))
      await expect(asked).rejects.toThrow('enough')
      expect(scene.network.connections).toBe(0)
    }
    // One had arrived before it was aborted.
    expect(scene.mirror.served).toHaveLength(1)
    const { events } = scene.scheduler
    await scene.pass(9_000)
    expect(scene.scheduler.events - events).toBeLessThan(3)
    const aborted = scene.asking('x', { signal: AbortSignal.abort(new Error('before')) })
    await expect(scene.network.transport('p1').request(aborted)).rejects.toThrow('before')
  })

  test('that its client gave up may be done all the same', async () => {
    scene.network.setFaults({ orphaned: 1 })
    const abort = new AbortController()
    const asked = scene.network.transport('p1').request(scene.asking('x', { signal: abort.signal }))
    await scene.pass(12)
    expect(scene.mirror.served).toHaveLength(0)
    abort.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await scene.pass(100)
    expect(scene.mirror.served).toHaveLength(1)
  })
})

describe('a server that dies', () => {
  test('resets what is in flight: not done, or done and not answered', async () => {
    const fates: string[] = []
    for (const afterMs of [2, 12, 15.5, 18]) {
      const one = new Scene()
      const asked = one.outcome(one.network.transport('p1').request(one.asking()).then(textOf))
      one.scheduler.after(afterMs, 'kill', () => one.detach())
      fates.push(`${await asked} ${one.mirror.served.length}`)
    }
    expect(fates).toEqual([
      'm1 refused the connection 0',
      'connection reset 0',
      'connection reset 1',
      // The answer had left.
      'hello 1',
    ])
  })

  test('by its plug says nothing', async () => {
    const asked = scene.network.transport('p1').request(scene.asking()).then(textOf)
    scene.scheduler.after(15.5, 'unplug', () => scene.detach('unplugged'))
    expect(await scene.outcome(asked)).toBe('no answer in time')
    expect(await scene.ask()).toBe('no connection in time')
    scene.network.attach('m1', scene.mirror)
    expect(await scene.ask()).toBe('200 hello')
  })

  test('and comes back does not answer what the one before it was asked', async () => {
    scene.scheduler.after(12, 'restart', () => {
      scene.detach()
      scene.network.attach('m1', scene.mirror)
    })
    expect(await scene.ask()).toBe('connection reset')
    expect(await scene.ask()).toBe('200 hello')
  })
})

describe('a partition', () => {
  test('lets nothing through, until it is taken away', async () => {
    scene.network.partition(['p1', 'p2'], ['m1'])
    expect(await scene.ask()).toBe('no connection in time')
    scene.network.join()
    expect(await scene.ask()).toBe('200 hello')
  })

  test('of one way lets requests be done that nobody hears of', async () => {
    scene.scheduler.after(12, 'wall', () => scene.network.partition(['m1'], ['p1'], { oneWay: true }))
    expect(await scene.ask()).toBe('no answer in time')
    expect(scene.mirror.served).toHaveLength(1)
  })

  test('keeps other pairs out of it', async () => {
    scene.network.partition(['p2'], ['m1'])
    expect(await scene.ask()).toBe('200 hello')
  })
})

describe('a live stream', () => {
  const open = async (signal = new AbortController().signal) => {
    const transport = scene.network.transport('p1')
    const opened = transport.stream(scene.asking('', { method: 'GET', signal }))
    await scene.scheduler.until(opened)
    const chunks = (await opened).body[Symbol.asyncIterator]()
    let text = ''
    let error: unknown
    const reading = (async () => {
      for (;;) {
        const { value, done } = await chunks.next()
        if (done === true) return
        text += new TextDecoder().decode(value)
      }
    })().catch((thrown) => {
      error = thrown
    })
    return { transport, chunks, reading, text: () => text, error: () => error as Error | undefined }
  }

  test('comes in order, cut into pieces anywhere', async () => {
    scene.network.setFaults({ spread: 1 })
    const { text } = await open()
    await scene.pass(50_000)
    expect(text().startsWith('tick 0\ntick 1\ntick 2\n')).toBe(true)
    expect(text()).toContain('tick 40\n')
  })

  test('is cut by a fault, by name, by the death of the server and by the end of the transport', async () => {
    const ends: readonly (() => unknown)[] = [
      () => scene.network.setFaults({ cutStream: 1 }),
      () => scene.network.cut('m1', 'p1'),
      () => scene.detach(),
    ]
    for (const end of ends) {
      const { reading, error } = await open()
      end()
      await scene.scheduler.until(reading)
      expect(error()?.message).toBe('connection reset')
      scene.network.heal()
    }
    scene.network.attach('m1', scene.mirror)
    const { transport, reading, error } = await open()
    await transport.close()
    await reading
    expect(error()?.message).toBe('the transport is closed')
    await expect(transport.request(scene.asking())).rejects.toThrow('closed')
  })

  test('stalls by a fault, by a partition and by a plug that is pulled: nobody is told', async () => {
    const stalls: readonly (() => void)[] = [
      () => scene.network.setFaults({ stalledStream: 1 }),
      () => scene.network.partition(['m1'], ['p1']),
      () => scene.detach('unplugged'),
    ]
    for (const stall of stalls) {
      const abort = new AbortController()
      const { text, error, reading } = await open(abort.signal)
      await scene.pass(5_500)
      stall()
      // A stream falls silent with what it would say next.
      await scene.pass(2_000)
      const before = text()
      scene.network.heal()
      await scene.pass(100_000)
      expect([text(), error()]).toEqual([before, undefined])
      abort.abort(new Error('silent'))
      await reading
      expect(error()?.message).toBe('silent')
    }
  })

  test('that is left is ended on the other side too', async () => {
    const abort = new AbortController()
    const first = await open(abort.signal)
    abort.abort(new Error('enough'))
    await first.reading
    expect(first.error()?.message).toBe('enough')
    const { chunks, reading } = await open()
    await chunks.return?.()
    await reading
    await scene.pass(2_000)
    expect(scene.mirror.abandoned).toHaveLength(2)
    expect(scene.network.connections).toBe(0)
  })

  test('may be a captive portal’s page', async () => {
    scene.network.setFaults({ portal: 1 })
    const { reading, text } = await open()
    await scene.scheduler.until(reading)
    expect(text()).toContain('<html>')
  })
})

const probability = fc.constantFrom(0, 0, 0.2, 0.5)
const someFaults = fc.record({
  spread: fc.constantFrom(0, 1),
  refused: probability,
  portal: probability,
  proxy: probability,
  lostRequest: probability,
  lostAnswer: probability,
  cutRequest: probability,
  cutAnswer: probability,
  damagedRequest: probability,
  damagedAnswer: probability,
  repeated: probability,
  slow: probability,
  orphaned: probability,
})

/** What happened under these faults, and whether all went through once they ended. */
async function history(seed: number, faults: Partial<NetworkFaults>) {
  const one = new Scene(seed, faults)
  const seen: string[] = []
  for (let n = 0; n < 12; n++) {
    if (n === 4) one.network.partition(['p1'], ['m1'], { oneWay: true })
    if (n === 6) one.network.join()
    const transport = one.network.transport('p1')
    const asked = Promise.allSettled([0, 1].map((k) => transport.request(one.asking(`${n}.${k}`))))
    await one.scheduler.until(asked)
    for (const each of await asked)
      seen.push(each.status === 'fulfilled' ? textOf(each.value) : String(each.reason))
  }
  one.network.heal()
  for (let n = 0; n < 5; n++) expect(await one.ask(`healed ${n}`)).toBe(`200 healed ${n}`)
  expect(one.network.connections).toBe(0)
  return { seen, served: one.mirror.served, digest: one.trace.digest() }
}

test('one seed is one history, and after the faults everything goes through', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), someFaults, async (seed, faults) => {
      expect(await history(seed, faults)).toEqual(await history(seed, faults))
    }),
    { numRuns: 40 },
  )
  const busy = { lostAnswer: 0.2, repeated: 0.5, damagedAnswer: 0.2, spread: 1 }
  expect((await history(1, busy)).digest).not.toBe((await history(2, busy)).digest)
})
