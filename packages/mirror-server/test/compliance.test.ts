import { mirrorCompliance } from '@mynah/replication/compliance'
import { afterAll, beforeAll, test } from 'vitest'
import { MirrorProcess } from './mirror-process.js'

const token = 'a-token-of-its-own'
const mirror = new MirrorProcess({ MYNAH_TOKEN: token })

beforeAll(() => mirror.start())
afterAll(() => mirror.remove())

const subject = {
  // Its port is known when it runs.
  get url() {
    return mirror.url
  },
  token,
  restart: () => mirror.restart(),
}
for (const { name, run, patient } of mirrorCompliance(subject)) {
  if (!patient) test(`mynah serve: ${name}`, run)
}
