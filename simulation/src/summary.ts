import type { RunReport } from './run.js'

/** A run's report as plain data, to cross between processes. */
export interface Summary {
  readonly seed: number
  readonly failure: { readonly check: string; readonly message: string; readonly stack: string } | undefined
  readonly lines: readonly string[]
  readonly digest: string
  readonly counts: readonly (readonly [what: string, count: number])[]
  readonly events: number
  readonly virtualMs: number
}

export function summaryOf(report: RunReport): Summary {
  const { seed, violation, lines, digest, counts, events, virtualMs } = report
  const failure = violation && {
    check: 'check' in violation ? violation.check : violation.name,
    message: violation.message,
    stack: [violation.stack, violation.cause instanceof Error ? violation.cause.stack : ''].join('\n'),
  }
  return { seed, failure, lines: failure ? lines : [], digest, counts: [...counts], events, virtualMs }
}
