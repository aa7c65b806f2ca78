import type { Env } from '../env/env.js'
import { IndexCorruptError } from '../errors.js'
import { SALT_BYTES } from './border.js'
import { parseValue } from './checksum.js'
import { entryId, pageBounds, rootKey } from './keys.js'
import type { DerivedStore } from './level.js'
import { mergedScan } from './merged-scan.js'
import { decodePage, type Page } from './page.js'
import { PageTable } from './page-table.js'
import { cutPages } from './range-sums.js'
import { decodeRoot, emptyRoot, type Root, type StoredRoot } from './root.js'
import { addTally, emptyTally, sameTally } from './tally.js'

/** What a store knows of itself. */
export interface Loaded {
  readonly root: Root
  readonly pages: PageTable
}

/**
 * The root and the pages of a store, which must add up to its root. Where it was written before there were pages, they are made from
 * its entries, to be written with the next batch.
 *
 * @throws IndexCorruptError
 */
export async function loadPages(store: DerivedStore, env: Env): Promise<Loaded> {
  const stored = await readRoot(store)
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
  return { root, pages: table }
}

async function readRoot(store: DerivedStore): Promise<StoredRoot> {
  const bytes = await store.get(rootKey)
  return bytes === undefined ? { root: emptyRoot, salt: undefined } : parseValue(rootKey, bytes, decodeRoot)
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
