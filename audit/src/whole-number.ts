/** The number that an option of the command line has. @throws RangeError where it is none from 0 on */
export function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`--${name} takes a whole number, not ${text}`)
  return value
}
