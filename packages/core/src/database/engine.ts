import { CommitNews } from './commit-news.js'
import { CommitQueue } from './commit-queue.js'
import { Compaction } from './compaction.js'
import type { Context } from './context.js'
import { DamageWatch } from './damage-watch.js'
import type { IndexHome } from './index-home.js'
import { IndexKeeper } from './index-keeper.js'

/** What writes in an open database, and what looks after it in the background. */
export interface Engine {
  readonly queue: CommitQueue
  readonly news: CommitNews
  readonly keeper: IndexKeeper
  readonly damage: DamageWatch
  readonly compaction: Compaction
}

/** The parts, which need each other. */
export function engineOf(context: Context, home: IndexHome): Engine {
  const news = new CommitNews(context, () => {
    const { index } = context
    // What could not be written stays in RAM and in the log, and is tried again with the next flush.
    void keeper.use(() => index.flush()).catch(() => undefined)
  })
  const committed = () => {
    news.committed()
    compaction.wake()
  }
  const queue: CommitQueue = new CommitQueue(context, committed, (index) => keeper.mended(index))
  const keeper: IndexKeeper = new IndexKeeper(context, home, queue)
  const damage = new DamageWatch(context, queue, () => news.tell())
  const compaction = new Compaction(context, queue, keeper, home, () => damage.settle())
  return { queue, news, keeper, damage, compaction }
}
