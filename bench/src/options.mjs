import path from 'node:path'
import { parseArgs } from 'node:util'
import { ShownError } from '../../scripts/set-up.mjs'

export const help = `What Mynah costs, beside other embedded stores, in one run on one machine.

  npm run bench -- [options]

  --documents N   readings to store (100000); of the other sets about as many bytes
  --rounds N      times that all is measured, the stores in turns; figures are medians (2)
  --quick         10,000 readings, one round: a try-out, not a result
  --only NAMES    only these, by comma: stores (mynah, pouchdb, sqlite, lmdb, nedb, level),
                  measurements (insert, update, read, cold, open, kill, durable) or
                  sets of documents (iot, game, text)
  --ids KIND      device: the sensor's name and the time (default); uuid: version 7
  --times KIND    ms: milliseconds (default); iso: text
  --seed N        of the readings (1)
  --data DIR      where the databases are made, and removed again (bench/results): its disk is measured
  --profile       also writes CPU profiles of Mynah and prints the functions that take most
  --help          this

Takes some ten minutes. Prints markdown; all figures go to bench/results/*.json.`

/** Measurements that can be asked for, each with those that must run before it. */
export const measurementNames = ['insert', 'update', 'read', 'cold', 'open', 'kill', 'durable']
export const storeNames = ['mynah', 'pouchdb', 'sqlite', 'lmdb', 'nedb', 'level']
const setNames = ['iot', 'game', 'text']

function positiveInteger(name, text) {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new ShownError(`--${name} takes a whole number above 0, not ${text}`)
  return value
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new ShownError(`--${name} takes ${allowed.join(', ')}, not ${value}`)
  return value
}

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        documents: { type: 'string' },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        ids: { type: 'string', default: 'device' },
        times: { type: 'string', default: 'ms' },
        seed: { type: 'string', default: '1' },
        data: { type: 'string' },
        profile: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new ShownError(`${error.message}\nTry: npm run bench -- --help`)
  }
}

/** The options of a command line. @throws ShownError for what a command line cannot say */
export function readOptions(args) {
  const values = parse(args)
  const only = values.only.split(',').filter((name) => name !== '')
  for (const name of only) oneOf('only', name, [...storeNames, ...measurementNames, ...setNames])
  const chosen = (names) =>
    names.some((name) => only.includes(name)) ? names.filter((n) => only.includes(n)) : names
  return {
    help: values.help,
    documents: positiveInteger('documents', values.documents ?? (values.quick ? '10000' : '100000')),
    rounds: positiveInteger('rounds', values.rounds ?? (values.quick ? '1' : '2')),
    stores: chosen(storeNames),
    measurements: chosen(measurementNames),
    sets: chosen(setNames),
    ids: oneOf('ids', values.ids, ['device', 'uuid']),
    times: oneOf('times', values.times, ['ms', 'iso']),
    seed: positiveInteger('seed', values.seed),
    data:
      values.data === undefined
        ? undefined
        : path.resolve(process.env.INIT_CWD ?? process.cwd(), values.data),
    profile: values.profile,
    quick: values.quick,
  }
}
