/**
 * Texts in order, each as how many code points it has in common with the beginning of the one before, and the rest:
 * what travels of ids, whose neighbours begin alike.
 */
export function frontCoded(texts: readonly string[]): readonly (number | string)[] {
  const coded: (number | string)[] = []
  let before: readonly string[] = []
  for (const text of texts) {
    const points = [...text]
    let shared = 0
    while (shared < points.length && points[shared] === before[shared]) shared += 1
    coded.push(shared, points.slice(shared).join(''))
    before = points
  }
  return coded
}

/** The text that shares so many code points with the one before; undefined where that has not as many. */
export function frontDecoded(before: string, shared: number, rest: string): string | undefined {
  let length = 0
  let left = shared
  for (const point of before) {
    if (left === 0) break
    length += point.length
    left -= 1
  }
  return left > 0 ? undefined : before.slice(0, length) + rest
}
