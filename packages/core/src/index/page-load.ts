import type { Env } from '../env/env.js'
import { IndexCorruptError } from '../errors.js'
import { SALT_BYTES } from './border.js'
import { parseValue } from './checksum.js'
import { entryId, pageBounds } from './keys.js'
import type { DerivedStore } from './level.js'
import { mergedScan } from './merged-scan.js'
import { decodePage, type Page } from './page.js'
import { PageTable } from './page-table.js'
import { cutPages } from './range-sums.js'
import type { StoredRoot } from './root.js'
import { addTally, emptyTally, sameTally } from './tally.js'

/**
 * The pages of a store, which must add up to its root. Where it was written before there were pages, they are made from
 * its entries, to be written with the next batch.
 *
 * @throws IndexCorruptError
 */
export async function loadPages(store: DerivedStore, env: Env, stored: StoredRoot): Promise<PageTable> {
  const { root } = stored
  const salt = stored.salt ?? env.randomBytes(SALT_BYTES)
  const isOld = stored.salt === undefined && root.ids > 0
  const pages = isOld
    ? await cutPages(mergedScan(store, [], { from: '', to: undefined }), '', salt)
    : await readPages(store)
  const total = emptyTally()
  for (const page of pages) addTally(total, page)
  if (!sameTally(root, total) || (pages[0]?.first ?? '') !== '')
    throw new IndexCorruptError('its pages do not add up to its root')
  const table = new PageTable(salt, pages)
  if (isOld) table.touch(pages.map(({ first }) => first))
  return table
}

async function readPages(store: DerivedStore): Promise<Page[]> {
  const iterator = store.iterator(pageBounds)
  try {
    return (await iterator.all()).map(([key, value]) => {
      const first = entryId(key)
      return parseValue(key, value, (bytes) => decodePage(first, bytes))
    })
  } finally {
    await iterator.close()
  }
}
