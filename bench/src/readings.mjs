/** Seeded readings of a fleet of sensors, about 200 bytes of JSON each. The same seed gives the same readings. */

const deviceCount = 100
const intervalMs = 60_000
const startMs = Date.UTC(2026, 9, 1)

/** A generator of numbers in [0, 1): sfc32, seeded by one integer. */
export function createRandom(seed) {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

const gaussian = (random) => random() + random() + random() + random() - 2
const rounded = (value, decimals) => Number(value.toFixed(decimals))

function createDevices(random) {
  return Array.from({ length: deviceCount }, (_, i) => ({
    name: `th-${String(i).padStart(4, '0')}`,
    site: ['north', 'south', 'depot'][Math.floor(random() * 3)],
    phaseMs: Math.floor(random() * intervalMs),
    temperature: 15 + random() * 10,
    humidity: 35 + random() * 30,
    pressure: 1_005 + random() * 20,
    battery: 3.4 + random() * 0.8,
    rssi: -90 + Math.floor(random() * 40),
  }))
}

/** A version 7 UUID of the reading's time, as a database would make one. */
function uuid7(ms, random) {
  const hex = (bits) =>
    Math.floor(random() * 2 ** bits)
      .toString(16)
      .padStart(bits / 4, '0')
  const time = ms.toString(16).padStart(12, '0')
  const variant = '89ab'[Math.floor(random() * 4)]
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(12)}-${variant}${hex(12)}-${hex(24)}${hex(24)}`
}

function readDevice(device, ms, options, random) {
  device.temperature += gaussian(random) * 0.05
  device.humidity += gaussian(random) * 0.2
  device.pressure += gaussian(random) * 0.03
  device.battery -= random() * 0.00002
  const odds = random()
  const reading = {
    id: options.ids === 'uuid' ? uuid7(ms, random) : `${device.name}/${ms}`,
    device: device.name,
    site: device.site,
    at: options.times === 'iso' ? new Date(ms).toISOString() : ms,
    temperature: rounded(device.temperature + gaussian(random) * 0.02, 2),
    humidity: rounded(device.humidity + gaussian(random) * 0.1, 1),
    pressure: rounded(device.pressure, 2),
    battery: rounded(device.battery, 3),
    rssi: device.rssi + Math.round(gaussian(random) * 3),
    status: odds < 0.97 ? 'ok' : odds < 0.99 ? 'degraded' : odds < 0.998 ? 'calibrating' : 'fault',
    firmware: '2.4.1',
  }
  // Now and then a probe gives nothing.
  if (random() < 0.01) delete reading.humidity
  return reading
}

/**
 * Readings without end, in order of arrival: each device once a minute, with jitter, so that neighbours change places.
 * Ids never repeat within a seed.
 * @param {{ seed: number, ids: 'device' | 'uuid', times: 'ms' | 'iso' }} options
 */
export function* generateReadings(options) {
  const random = createRandom(options.seed)
  const devices = createDevices(random)
  for (let round = 0; ; round++) {
    const due = devices
      .map((device) => ({
        device,
        ms: startMs + round * intervalMs + device.phaseMs + Math.floor(random() * 3_000),
      }))
      .sort((a, b) => a.ms - b.ms)
    for (const { device, ms } of due) yield readDevice(device, ms, options, random)
  }
}

/** The first `count` of them. */
export function createReadings(options) {
  const readings = []
  for (const reading of generateReadings(options)) {
    if (readings.length === options.count) break
    readings.push(reading)
  }
  return readings
}

/** The readings in batches of `size`. */
export function inBatches(readings, size) {
  const batches = []
  for (let i = 0; i < readings.length; i += size) batches.push(readings.slice(i, i + size))
  return batches
}
