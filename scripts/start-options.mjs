import path from 'node:path'
import { parseArgs } from 'node:util'
import { root, ShownError } from './set-up.mjs'

export const help = `Mynah: a mirror, and a data logger that replicates to it.

  npm start                      both: the mirror, and the logger as a process of its own
  npm start -- mirror            the mirror alone
  npm start -- logger            the logger alone; it does not need the mirror to be there
  npm start -- --import FILE     put the rows of a CSV or NDJSON file into the logger's database,
                                 wait until the mirror has them, and end

  --data DIR       where the databases live: DIR/mirror and DIR/logger         (data)
  --port N         the mirror's port on 127.0.0.1                              (8800)
  --interval MS    time between two samples                                    (1000)
  --import FILE    as above; rows without an id get one of file name and row,
                   so that the same file a second time changes nothing
  --wait           with \`npm start -- logger --import FILE\`: end when the mirror has them
  --help           this text

The logger is an embedded peer. It records this machine's CPU, memory, load, disk and network each second in
its own database and replicates in the background. Its line of status:

  documents · state of the mirror: ahead (what it still lacks), behind (what it has that was not seen here) ·
  what the documents would take as JSON (by the samples of this run) → what all files take on disk · last sample

A young database is mostly its unsealed tail; records are compressed as the tail grows.

Things to try, with \`npm start\` running:

  stop the mirror      kill its process (npm start prints the number), also with kill -9: the logger goes on,
                       and "ahead" grows
  start it again       npm start -- mirror, in a second terminal: the logger catches up, nothing is missing
  kill the logger      kill -9 its process, then npm start -- logger: every sample that it counted is there
  kill both            Ctrl-C stops both cleanly; kill -9 of this command does too
  read a document      curl http://127.0.0.1:8800/v1  and  curl http://127.0.0.1:8800/v1/telemetry
  begin anew           stop everything and delete the data folder
`

/** @throws ShownError for what the command line does not allow. */
export function parseStartOptions(args) {
  const { values, positionals } = parse(args)
  const what = positionals[0] ?? 'both'
  if (positionals.length > 1 || !['both', 'mirror', 'logger'].includes(what)) {
    throw new ShownError(
      `"${positionals.join(' ')}" is not a part that can be started; try: npm start -- --help`,
    )
  }
  if (what === 'mirror' && values.import !== undefined) {
    throw new ShownError('--import goes through the logger: npm start -- --import FILE')
  }
  return {
    what,
    help: values.help,
    data: fromUser(values.data ?? path.join(root, 'data')),
    port: wholeNumber('--port', values.port, 1, 65_535),
    intervalMs: wholeNumber('--interval', values.interval, 10, 86_400_000),
    // A mirror that is started for the import is stopped after it, and should have the rows by then.
    wait: values.wait || what === 'both',
    importFile: values.import === undefined ? undefined : fromUser(values.import),
  }
}

function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: 'string' },
        port: { type: 'string', default: '8800' },
        interval: { type: 'string', default: '1000' },
        import: { type: 'string' },
        wait: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new ShownError(`${error.message}\nTry: npm start -- --help`)
  }
}

/** A path as the user meant it: npm runs scripts in the project's folder and tells where it was called. */
function fromUser(file) {
  return path.resolve(process.env.INIT_CWD ?? process.cwd(), file)
}

function wholeNumber(name, text, least, most) {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new ShownError(`${name} takes a whole number from ${least} to ${most}, not "${text}"`)
  }
  return value
}
