/**
 * What a cell of a CSV file means. Empty cells mean nothing at all; a number is one only when it can be written back
 * as it stood, up to zeros at the end of its decimals: leading zeros (postcodes, part numbers), exponents, signs other
 * than minus, blanks, separators and more digits than a double holds stay text.
 */
export function parseCell(text: string): string | number | undefined {
  if (text === '') return undefined
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text)) return text
  const value = Number(text)
  if (Object.is(value, -0)) return text
  const digits = text.replaceAll(/[-.]/g, '').replace(/^0+/, '')
  return digits.length <= 15 || (Number.isSafeInteger(value) && !text.includes('.')) ? value : text
}
