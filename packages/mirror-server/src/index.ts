export { type MirrorOptions, mirror } from './mirror.js'
export { createMirror, type MirrorServerOptions } from './server.js'
