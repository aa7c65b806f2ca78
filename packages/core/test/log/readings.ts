import { deriveRev } from '../../src/document/revision.js'
import type { Sequenced } from '../../src/log/record.js'

/** A small generator of even noise, from 0 to 1: the same for the same seed, everywhere. */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What 50 sensors report in no fixed order: about 215 bytes of JSON each, with noise in every reading. */
export function readings(seed: number, count: number, ids: 'uuid' | 'path'): Sequenced[] {
  const random = mulberry(seed)
  const noise = () => random() + random() + random() - 1.5
  const sensors = Array.from({ length: 50 }, () => ({
    t: 15 + random() * 15,
    h: 40 + random() * 30,
    b: 3.2 + random(),
  }))
  let now = 1_795_000_000_000
  return Array.from({ length: count }, (_, i) => {
    now += Math.round(200 * (0.5 + random()))
    const which = Math.floor(random() * sensors.length)
    const sensor = sensors[which]!
    sensor.t += noise() * 0.1
    sensor.h += noise() * 0.4
    sensor.b -= random() * 0.0002
    const device = `sensor-${String(which).padStart(4, '0')}`
    const time = new Date(now).toISOString()
    const body = {
      type: 'reading',
      device,
      site: `plant-${which % 5}`,
      time,
      temperature: Math.round(sensor.t * 100) / 100,
      humidity: Math.round(sensor.h * 10) / 10,
      battery: Math.round(sensor.b * 1000) / 1000,
      rssi: -60 - Math.floor(random() * 30),
      status: random() < 0.97 ? 'ok' : random() < 0.5 ? 'low-battery' : 'sensor-fault',
    }
    const record = {
      kind: 'revision',
      id: ids === 'uuid' ? uuidv7(random, now) : `${device}/${time}`,
      rev: deriveRev(undefined, false, body),
      path: [],
      deleted: false,
      at: now + 3 + Math.floor(random() * 5),
      origin: '00112233445566778899aabbccddeeff',
      supplies: false,
      continues: false,
      body,
    } as const
    return { seq: i + 1, record }
  })
}

function uuidv7(random: () => number, now: number): string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('')
  const time = now.toString(16).padStart(12, '0')
  const variant = (8 + Math.floor(random() * 4)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-${variant}${digits(3)}-${digits(12)}`
}
