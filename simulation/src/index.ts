export { type Profile, type ProfileName, profiles } from './profile.js'
export { type RunOptions, type RunReport, run } from './run.js'
export { Violation } from './violation.js'
