/** The sets of documents that are measured, each from a seed: the same seed gives the same documents. */
import { createRandom, createReadings } from './readings.mjs'

const dayMs = 86_400_000
const startMs = Date.UTC(2026, 9, 1)

/** How often a word is followed by one of those that mostly follow it. */
const HABIT = 0.3

const pick = (random, items) => items[Math.floor(random() * items.length)]
const below = (random, count) => Math.floor(random() * count)
const rounded = (value, decimals) => Number(value.toFixed(decimals))

const syllables =
  'ba ce di fo gu ha ki lo mu ne pa qui ra se ti vo wa xe yo zu bran cla dre fli gro pla sto tri'.split(' ')

/** A word of one to four syllables, of its own for each number. */
function wordOf(n) {
  let word = ''
  for (let rest = n + 1; rest > 0; rest = Math.floor(rest / syllables.length)) {
    word += syllables[rest % syllables.length]
  }
  return word
}

/**
 * Words as often as Zipf found them: the n-th most common about 1/n as often as the first. After some words one of the
 * few comes that mostly follow it, so often that all compresses about as English does.
 */
function createWords(random, count) {
  const words = Array.from({ length: count }, (_, i) => wordOf(i))
  const scale = Math.log(count + 1)
  let last = 0
  return () => {
    const draw = Math.floor(Math.exp(random() * scale)) - 1
    last = random() < HABIT ? (last * 31 + below(random, 3) * 7_919 + 1) % count : draw
    return words[last]
  }
}

function sentence(random, word) {
  const length = 5 + below(random, 16)
  const words = Array.from({ length }, () => (random() < 0.06 ? `${word()},` : word()))
  const text = words.join(' ').replace(/,$/, '')
  return `${text[0].toUpperCase()}${text.slice(1)}${random() < 0.9 ? '.' : '?'}`
}

function paragraphs(random, word, bytes) {
  const parts = []
  for (let length = 0; length < bytes; ) {
    const text = Array.from({ length: 2 + below(random, 5) }, () => sentence(random, word)).join(' ')
    parts.push(text)
    length += text.length
  }
  return parts.join('\n\n')
}

/** Articles of about 3,000 bytes: made words in the frequencies of a natural language. */
function createArticles({ seed, count }) {
  const random = createRandom(seed)
  const word = createWords(random, 12_000)
  const authors = Array.from({ length: 200 }, () => `${word()} ${word()}`)
  const tags = Array.from({ length: 60 }, () => word())
  return Array.from({ length: count }, (_, i) => ({
    id: `article/${String(i).padStart(8, '0')}`,
    title: sentence(random, word).slice(0, 80),
    author: pick(random, authors),
    tags: Array.from({ length: 1 + below(random, 4) }, () => pick(random, tags)),
    published: new Date(startMs + i * 613_000 + below(random, 400_000)).toISOString(),
    edition: 1,
    text: paragraphs(random, word, 1_400 + below(random, 2_800)),
  }))
}

const items = Array.from({ length: 120 }, (_, i) => `${wordOf(i + 400)}-${wordOf(i + 50)}`)
const zones = Array.from({ length: 40 }, (_, i) => `zone/${wordOf(i + 900)}`)
const skills = ['mining', 'smithing', 'archery', 'alchemy', 'sailing', 'cooking', 'trade', 'stealth']

function createPlayer(random, i) {
  const level = 1 + Math.floor(random() ** 2 * 80)
  return {
    id: `player/${below(random, 0x1_0000_0000).toString(16).padStart(8, '0')}${i.toString(16).padStart(6, '0')}`,
    name: `${wordOf(below(random, 20_000))}${below(random, 100)}`,
    level,
    experience: level * 1_000 + below(random, 1_000),
    health: { now: below(random, 100 + level * 10), most: 100 + level * 10 },
    position: {
      zone: pick(random, zones),
      x: rounded(random() * 4_096, 2),
      y: rounded(random() * 4_096, 2),
      z: rounded(random() * 256, 2),
      heading: below(random, 360),
    },
    gold: Math.floor(random() ** 3 * 100_000),
    inventory: Array.from({ length: 6 + below(random, 8) }, (_, slot) => ({
      slot,
      item: pick(random, items),
      count: random() < 0.6 ? 1 : 1 + below(random, 99),
      wear: rounded(random(), 2),
    })),
    skills: Object.fromEntries(skills.map((skill) => [skill, below(random, level + 1)])),
    quests: Array.from({ length: below(random, 5) }, () => ({
      quest: `${wordOf(below(random, 300))}-${below(random, 30)}`,
      step: below(random, 12),
      done: random() < 0.5,
    })),
    online: random() < 0.1,
    seen: startMs + below(random, 30 * dayMs),
    guild: random() < 0.7 ? `guild/${wordOf(below(random, 150))}` : null,
  }
}

/** States of players, about 1,000 bytes each, nested, in no order of their ids. */
function createPlayers({ seed, count }) {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, i) => createPlayer(random, i))
}

/** A document as it is after a change of the kind that its set knows: some members differ, the id stays. */
const changes = {
  iot: (reading, random) => ({ ...reading, status: 'checked', battery: rounded(3 + random(), 3) }),
  game: (player, random) => ({
    ...player,
    gold: below(random, 100_000),
    experience: player.experience + below(random, 500),
    position: { ...player.position, x: rounded(random() * 4_096, 2), y: rounded(random() * 4_096, 2) },
  }),
  text: (article, random) => {
    const cut = below(random, article.text.length)
    return { ...article, edition: 2, text: `${article.text.slice(cut)}\n\n${article.text.slice(0, cut)}` }
  },
}

/** Each set's name, its documents and their number against that of the readings: sets of about as many bytes. */
export const sets = {
  iot: { title: 'IoT readings', create: createReadings, part: 1 },
  game: { title: 'game states', create: createPlayers, part: 1 / 5 },
  text: { title: 'text documents', create: createArticles, part: 1 / 14 },
}

/** How many documents a set has where there are so many readings. */
export function countOf(set, documents) {
  return Math.max(1, Math.round(documents * sets[set].part))
}

/** The documents of a task: { set, seed, ids, times, … }. */
export function createDocuments(task, count) {
  return sets[task.set].create({ ...task, count })
}

/** A share of the documents, changed, in random order. */
export function createUpdates(task, documents, share) {
  const random = createRandom(task.seed + 7)
  return documents
    .filter(() => random() < share)
    .map((doc) => ({ doc: changes[task.set](doc, random), order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ doc }) => doc)
}
