import { holds, same } from './check.js'
import type { MirrorChecks, RawDatabase, RawRequest } from './raw-database.js'
import { revision } from './revisions.js'

const LINE_BYTES = 1_024
/** What a push changed is told by then, milliseconds; and that nothing changed, as a heartbeat. */
const TOLD_MS = 5_000
const BEAT_MS = 20_000
/** For so long nothing is told where nothing is to be told. */
const QUIET_MS = 300

/** Reads lines of the live stream in turn, and leaves it at the end. */
async function follow(
  db: RawDatabase,
  { waitMs = TOLD_MS, query = [] }: { readonly waitMs?: number; readonly query?: RawRequest['query'] & {} },
  read: (next: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const over = new AbortController()
  const response = await db.open('GET', '/records/live', { query, signal: over.signal })
  try {
    same(response.status, 200, 'GET :db/records/live')
    same(response.headers.get('content-type')?.split(';', 1)[0], 'application/x-ndjson', 'content-type')
    const lines = linesOf(response)
    await read(async () => {
      const { value, done } = await within(waitMs, lines.next())
      if (done === true) throw new Error('the stream ended')
      return value
    })
  } finally {
    over.abort()
  }
}

async function within<T>(waitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing is told for ${waitMs} ms`)), waitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

async function* linesOf(response: Response): AsyncGenerator<string, void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      holds(end <= LINE_BYTES, `a line of ${end} characters`)
      yield text.slice(0, end)
      text = text.slice(end + 1)
    }
  }
}

function positionIn(line: string): string {
  const { position } = JSON.parse(line) as { position?: unknown }
  holds(typeof position === 'string', `a line without a position: ${line}`)
  return position
}

export const liveChecks: MirrorChecks = {
  'the live stream tells the newest place at once, and after a push': async (db) => {
    await db.create()
    await follow(db, {}, async (next) => {
      same(positionIn(await next()), await db.position(), 'the first line')
      for (let n = 0; n < 3; n++) {
        const { position } = await db.push([revision(`d${n}`, n)])
        let line = await next()
        while (line === '' || positionIn(line) !== position) line = await next()
        same(await db.holds(positionIn(line)), [true], 'the place that was told')
      }
    })
  },
  'whoever follows hears of the last of many pushes, in order, not necessarily of each': async (db) => {
    await db.create()
    await follow(db, {}, async (next) => {
      const pushes = Array.from({ length: 40 }, (_, n) => db.push([revision(`d${n}`, n)]))
      await Promise.all(pushes)
      const last = await db.position()
      const told: number[] = []
      for (let position = ''; position !== last; ) {
        const line = await next()
        if (line === '') continue
        position = positionIn(line)
        told.push(Number(position.slice(33)))
      }
      same(
        told,
        told.toSorted((a, b) => a - b),
        'seqs in order',
      )
    })
  },
}

/** Positions in lines, the heartbeats left out, until one is told. */
async function nextPosition(next: () => Promise<string>): Promise<string> {
  let line = await next()
  while (line === '') line = await next()
  return positionIn(line)
}

export const scopedLiveChecks: MirrorChecks = {
  'with prefixes the live stream tells of commits that changed an id below one of them, and of no other':
    async (db) => {
      await db.create()
      // An incarnation begins with its first write, which is always told.
      await db.push([revision('first', 1)])
      const query = [
        ['prefix', 'a/'],
        ['prefix', 'ü/'],
      ] as const
      await follow(db, { query }, async (next) => {
        same(await nextPosition(next), await db.position(), 'the first line')
        for (const id of ['a/1', 'ü/1', 'a/2']) {
          await db.push([revision(`b/${id}`, 1), revision('ab', id.length)])
          const { position } = await db.push([revision(id, 1)])
          same(await nextPosition(next), position, `what is told after a change of ${id}`)
        }
      })
    },
  'with none=1 the live stream tells where it begins, and of no commit': async (db) => {
    await db.create()
    await db.push([revision('first', 1)])
    await follow(db, { query: [['none', '1']], waitMs: QUIET_MS }, async (next) => {
      const begun = await nextPosition(next)
      same(begun, await db.position(), 'the first line')
      await db.push([revision('a', 1)])
      const later = await nextPosition(next).catch(() => undefined)
      same(later, undefined, 'what is told after a commit')
    })
  },
  'what a live stream is asked for with is checked': async (db) => {
    await db.create()
    const wrong = [[['none', '2']], Array.from({ length: 101 }, () => ['prefix', 'a'])] as const
    for (const query of wrong) {
      await db.refuses(400, 'MYNAH_MESSAGE_INVALID', 'GET', '/records/live', {
        query: query as RawRequest['query'] & {},
      })
    }
  },
}

export const patientLiveChecks: MirrorChecks = {
  'a silent live stream has an empty line every 15 s': async (db) => {
    await db.create()
    await follow(db, { waitMs: BEAT_MS }, async (next) => {
      const position = await db.position()
      let line = await next()
      while (line !== '') {
        same(positionIn(line), position, 'a line')
        line = await next()
      }
    })
  },
}
