/**
 * The order of the house: who may import whom. A folder of the core imports only those above it in this list.
 * Checked on the sources; what a package imports of another is its dist, which is not followed.
 */
const coreFolders = [
  ['errors.ts', 'limits.ts'],
  ['env'],
  ['bytes'],
  ['codec'],
  ['storage', 'store'],
  // The shape of a record is what documents are made of; all else in log/ stands on documents.
  ['log/record.ts'],
  ['document'],
  ['log'],
  ['index'],
  ['changes'],
  ['database'],
  ['compliance'],
]

const noun = (name) => name.replace('.ts', '').replace('/', '-')
const core = '^packages/core/src'
const alternatives = (names) =>
  names.map((name) => (name.endsWith('.ts') ? name.replace('.', '\\.') : `${name}/`)).join('|')

const coreOrder = coreFolders.slice(0, -1).map((folder, level) => ({
  name: `core-order-${folder.map(noun).join('-')}`,
  severity: 'error',
  comment: 'A folder of the core imports only what stands above it in the list (CONTRIBUTING.md).',
  from: { path: `${core}/(${alternatives(folder)})`, pathNot: above(level) },
  to: {
    path: `${core}/(${alternatives(coreFolders.slice(level + 1).flat())}|index\\.ts|replica\\.ts)`,
    pathNot: above(level + 1),
  },
}))

/** Single files that stand before the folder that they lie in. */
function above(level) {
  const files = coreFolders
    .slice(0, level)
    .flat()
    .filter((name) => name.includes('/'))
  return files.length === 0 ? '^$' : `${core}/(${alternatives(files)})`
}

/** Folders of the other packages, each of which imports only those before it; files beside the folders may import any. */
const replicationFolders = [
  ['errors.ts'],
  ['timing'],
  ['protocol'],
  ['scope'],
  ['transport'],
  ['client', 'connect', 'serve', 'compliance'],
  ['mirror'],
  ['push', 'pull'],
  ['reconcile'],
  ['session'],
  ['scheduler'],
  ['reads'],
  ['application'],
]
const mirrorServerFolders = [
  ['limits.ts', 'version.ts', 'tls-files.ts'],
  ['bounds', 'databases', 'tokens', 'config'],
  ['access'],
  ['http'],
  ['metrics'],
  ['routes'],
  ['api'],
  ['mirror.ts', 'server.ts'],
  ['commands'],
]

const orderOf = (name, folders) =>
  folders.slice(0, -1).map((level, at) => ({
    name: `${name}-order-${level.map(noun).join('-')}`,
    severity: 'error',
    comment: 'A folder imports only what stands above it in the list (docs/architecture.md).',
    from: { path: `^packages/${name}/src/(${alternatives(level)})` },
    to: { path: `^packages/${name}/src/(${alternatives(folders.slice(at + 1).flat())})` },
  }))

/** An outside library, and the only files that may import it. */
const adapters = [
  ['lzma-native', `${core}/codec/lzma\\.ts$`],
  ['msgpackr', `${core}/codec/|^packages/replication/src/protocol/|^packages/mirror-server/src/`],
  [
    'level|classic-level|memory-level',
    `${core}/(storage/node-lock|(storage|store|index)/[a-z-]*level[a-z-]*)\\.ts$`,
  ],
  ['abstract-level', `${core}/(storage|store|index|database|compliance)/`],
  ['lru-cache', `${core}/`],
  ['undici', '^packages/replication/src/transport/(http-transport|guarded-connect)\\.ts$'],
  ['p-queue', '^packages/replication/src/'],
  ['fastify', '^packages/mirror-server/src/'],
  ['pino', '^packages/mirror-server/src/'],
  ['commander', '^packages/mirror-server/src/'],
  ['@fastify/swagger|@fastify/swagger-ui|ajv', '^packages/mirror-server/src/api/reference\\.ts$'],
  ['prom-client', '^packages/mirror-server/src/metrics/'],
].map(([library, files]) => ({
  name: `adapter-${library.split('|')[0]}`,
  severity: 'error',
  comment: 'Each outside library stands behind its adapter.',
  from: { path: '^packages/[^/]+/src/', pathNot: files },
  to: { path: `node_modules/(${library})/` },
}))

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'A cycle has no order. Types count too: what is imported as a type moves with its meaning.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'packages-one-way',
      severity: 'error',
      comment: 'mirror-server → replication → core.',
      from: { path: '^packages/core/' },
      to: { path: '^(packages/(replication|mirror-server)|examples)/' },
    },
    {
      name: 'packages-one-way-replication',
      severity: 'error',
      comment: 'mirror-server → replication → core.',
      from: { path: '^packages/replication/' },
      to: { path: '^(packages/mirror-server|examples)/' },
    },
    {
      name: 'only-public-doors',
      severity: 'error',
      comment:
        'One package sees of another only what its package.json exports, and an example only its public API.',
      from: { path: '^(packages|examples)/([^/]+)/' },
      to: { path: '^(packages|examples)/([^/]+)/src/', pathNot: '^$1/$2/' },
    },
    {
      name: 'examples-use-the-public-api',
      severity: 'error',
      comment: 'The replica port is between our own packages.',
      from: { path: '^examples/' },
      to: { path: '^packages/core/dist/replica\\.|^packages/replication/dist/protocol\\.' },
    },
    {
      name: 'core-is-not-node',
      severity: 'error',
      comment:
        'Node is reached only through these adapters, so that the rest runs in a browser and a simulation.',
      from: {
        path: `${core}/`,
        pathNot: `${core}/(env/node-env|bytes/hash|codec/lzma|storage/node-[a-z-]+|(store|index)/[a-z-]*level[a-z-]*)\\.ts$`,
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-dev-dependency',
      severity: 'error',
      comment: 'What is shipped imports only what is shipped with it.',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'Everything that is imported can be found.',
      from: {},
      to: { couldNotResolve: true },
    },
    ...coreOrder,
    ...orderOf('replication', replicationFolders),
    ...orderOf('mirror-server', mirrorServerFolders),
    ...adapters,
  ],
  options: {
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
      mainFields: ['main'],
    },
  },
}
