export { type MirrorCheck, mirrorCompliance } from './compliance/mirror.js'
export type { MirrorSubject } from './compliance/raw-database.js'
