// Prints "PASSED FAILED" of a vitest JSON report. A run that ended badly without a failed test (an unhandled
// rejection, a worker that died, a file that did not load) counts as one failure; one without tests is no run.
import { readFileSync } from 'node:fs'

const [file, exitCode] = process.argv.slice(2)
const report = JSON.parse(readFileSync(file, 'utf8'))
const passed = report.numPassedTests
let failed = report.numFailedTests
const skipped = report.numPendingTests + report.numTodoTests
if (skipped > 0) console.error(`${skipped} tests were skipped`)
if (failed === 0 && (exitCode !== '0' || !report.success)) failed = Math.max(1, report.numFailedTestSuites)
if (passed + failed === 0) process.exit(1)
console.log(`${passed} ${failed}`)
