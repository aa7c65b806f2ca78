import type { Process } from './ground.js'

/** The answer, unless the process that asked for it is gone: then nobody hears of it. */
export function answered<T>(process: Process, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    answer.then(
      (value) => process.alive && resolve(value),
      (error: unknown) => process.alive && reject(error),
    )
  })
}
