export type { FollowedMirror } from './follower.js'
export { type MirrorOptions, mirror } from './mirror.js'
export { createMirror, type MirrorServerOptions } from './server.js'
