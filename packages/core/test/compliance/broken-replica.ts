import type { FeedPage, MergeReport, Replica } from '../../src/replica.js'

interface BrokenReplica {
  /** The check that finds it. */
  readonly found: string
  /** What it does otherwise than a real one. */
  broken(real: Replica): Partial<Replica>
}

/** Replicas with one realistic fault each. */
export const brokenReplicas: Readonly<Record<string, BrokenReplica>> = {
  'it drops the losing leaf': {
    found: 'the losing leaf is kept, with its body',
    broken: (real) => ({
      leaves: async (id) => (await real.leaves(id)).slice(0, 1),
      bodies: async (leaves, options) => {
        const winners = await Promise.all(leaves.map(async ({ id }) => (await real.leaves(id))[0]?.rev))
        return (await real.bodies(leaves, options)).filter(({ rev }) => winners.includes(rev))
      },
    }),
  },
  'it tells of the leaf that came last, not of the one that wins': {
    found: 'any order of arrival, at once or one by one, gives the same leaves and winner',
    broken: (real) => {
      const last = new Map<string, string>()
      return {
        merge: (records, options) => {
          for (const { id, rev } of records) last.set(id, rev)
          return real.merge(records, options)
        },
        leaves: async (id) => {
          const leaves = await real.leaves(id)
          const first = leaves.filter(({ rev }) => rev === last.get(id))
          return [...first, ...leaves.filter((leaf) => !first.includes(leaf))]
        },
      }
    },
  },
  'it says to hold what it only knows': {
    found: 'held names leaves whose bodies are held, who says so, and nothing else',
    broken: (real) => ({
      held: async (leaves) => {
        const known = await Promise.all(
          leaves.map(async ({ id, rev }) => (await real.leaves(id)).some((leaf) => leaf.rev === rev)),
        )
        return { ...(await real.held(leaves)), held: known }
      },
    }),
  },
  'it takes a part of a transaction': {
    found: 'or nothing: where one is refused, so are all, and each tells why',
    broken: (real) => ({
      merge: (records, options) =>
        real.merge(
          records.map((record) => ({ ...record, continues: false })),
          options,
        ),
    }),
  },
  'its feed skips a document at the end of a page': {
    found: 'pages of any size tell the same',
    broken: (real) => ({
      feed: async (options) => {
        const page = await real.feed(options)
        const last = page.records.at(-1)?.id
        const cut = page.more && new Set(page.records.map(({ id }) => id)).size > 1
        return cut ? { ...page, records: page.records.filter(({ id }) => id !== last) } : page
      },
    }),
  },
  'its feed cuts a page in the middle of a document': {
    found: 'a document comes with all its leaves, and these with their bodies where held',
    broken: (real) => ({
      feed: async (options) => {
        const page = await real.feed(options)
        return page.more ? { ...page, records: page.records.slice(0, 1) } : page
      },
    }),
  },
  'its feed tells a document at an old place as well': {
    found: 'the feed tells each document once, in the order of their newest changes',
    broken: (real) => ({
      feed: async (options): Promise<FeedPage> => {
        const page = await real.feed(options)
        const changed = page.records.filter(({ path }) => path.length > 0)
        return { ...page, records: [...changed, ...page.records] }
      },
    }),
  },
  'its feed goes by the first place of a document': {
    found: 'a document that changes while the feed is read is told at its newest place',
    broken: (real) => {
      const told = new Set<string>()
      return {
        feed: async (options): Promise<FeedPage> => {
          const page = await real.feed(options)
          const records = page.records.filter(({ id }) => !told.has(id))
          for (const { id } of records) told.add(id)
          return { ...page, records }
        },
      }
    },
  },
  'a page claims to cover more than it tells': {
    found: 'a page names the place up to which it tells all',
    broken: (real) => ({
      feed: async (options) => ({ ...(await real.feed(options)), position: real.position() }),
    }),
  },
  'its feed of a part moves its end while it is read': {
    found: 'what changes while a part is read is told, by this feed or by the next one',
    broken: (real) => ({
      feed: async (options) => {
        const page = await real.feed(options)
        return options.resume ? { ...page, position: real.position(), more: page.after !== undefined } : page
      },
    }),
  },
  'its feed of a part skips what comes right after a page': {
    found: 'the feed of a part tells the ids of some prefixes, in their order, in pages of any size',
    broken: (real) => ({
      feed: async (options) => {
        const page = await real.feed(options)
        return options.resume ? { ...page, records: page.records.slice(1) } : page
      },
    }),
  },
  'it acknowledges what it refused': {
    found: 'what is refused is named in its place, and the rest is taken',
    broken: (real) => ({
      merge: async (records, options): Promise<MergeReport> => {
        const report = await real.merge(records, options)
        const outcomes = report.outcomes.map((outcome) =>
          outcome.result === 'refused' ? ({ result: 'known' } as const) : outcome,
        )
        return { ...report, outcomes }
      },
    }),
  },
  'one bad record spoils the merge': {
    found: 'what is refused is named in its place, and the rest is taken',
    broken: (real) => ({
      merge: async (records, options) => {
        const report = await real.merge(records, options)
        for (const outcome of report.outcomes) if (outcome.result === 'refused') throw outcome.error
        return report
      },
    }),
  },
  'it takes a cut path for a whole one': {
    found:
      'a path that ends at something unknown is detached, and nothing of it is kept, until it comes whole',
    broken: (real) => ({ merge: (records, options) => real.merge(records, { ...options, whole: true }) }),
  },
  'it does not check bodies of foreign revisions': {
    found: 'a body that is not the one of its stub is refused, and goes on missing',
    broken: (real) => ({
      merge: async (records, options) => {
        const report = await real.merge(records, options)
        const outcomes = report.outcomes.map((outcome, i) =>
          records[i]?.bodyHash && outcome.result === 'refused' ? ({ result: 'supplied' } as const) : outcome,
        )
        return { ...report, outcomes }
      },
    }),
  },
  'every position holds': {
    found: 'positions past the end, past the end of an earlier life, or of another history do not hold',
    broken: () => ({ holds: () => true }),
  },
  'only positions of this life hold': {
    found: 'its own positions hold, also after opening again and going on',
    broken: (real) => ({
      holds: (position) =>
        real.holds(position) && (position.seq === 0 || position.incarnation === real.position().incarnation),
    }),
  },
  'it calls a stub held': {
    found: 'missing names what is unknown or not held, and nothing else',
    broken: (real) => ({
      missing: async (leaves) => {
        const known = await Promise.all(leaves.map(({ id }) => real.leaves(id)))
        return leaves.map(({ rev }, i) => !known[i]!.some((leaf) => leaf.rev === rev))
      },
    }),
  },
  'its sums follow what is held': {
    found: 'what is held, and what is known already, does not enter a sum',
    broken: (real) => ({
      sum: async (range) => {
        const { count, sum } = await real.sum(range)
        const held = (await real.feed({ since: 0, bodies: true })).records.filter(({ body }) => body)
        return { count, sum: sum.with(0, (sum[0]! + held.length) % 256) }
      },
    }),
  },
  'a checkpoint outlives its history': {
    found: 'a checkpoint is kept, for each direction and key, while its own side holds',
    broken: (real) => {
      const kept = new Map<string, Awaited<ReturnType<Replica['checkpoint']>>>()
      return {
        setCheckpoint: async (key, direction, checkpoint, parked) => {
          kept.set(`${direction} ${key}`, checkpoint)
          await real.setCheckpoint(key, direction, checkpoint, parked)
        },
        checkpoint: async (key, direction) =>
          kept.get(`${direction} ${key}`) ?? real.checkpoint(key, direction),
      }
    },
  },
  'acknowledged merges are forgotten when it closes': {
    found: 'what was acknowledged is there after opening again',
    broken: (real) => (real.position().seq > 0 ? { leaves: async () => [] } : {}),
  },
}
