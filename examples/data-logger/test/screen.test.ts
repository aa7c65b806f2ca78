import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { Screen } from '../src/screen.js'

function output(properties: { isTTY?: boolean; columns?: number }): {
  stream: NodeJS.WriteStream
  text(): string
} {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  return { stream: Object.assign(stream, properties) as unknown as NodeJS.WriteStream, text: () => text }
}

test('a terminal has one line, rewritten in place and cut to its width', () => {
  const { stream, text } = output({ isTTY: true, columns: 10 })
  const screen = new Screen(stream)
  screen.status('one')
  screen.status('a long line of status')
  screen.line('stays')
  screen.end()
  expect(text()).toBe('\r\x1b[2Kone\r\x1b[2Ka long l…\r\x1b[2Kstays\n')
})

test('a file gets the first line, then one when it is time or when it matters', () => {
  const { stream, text } = output({})
  const screen = new Screen(stream, 60_000)
  screen.status('first')
  screen.status('second')
  screen.status('third', { now: true })
  screen.end()
  expect(text()).toBe('first\nthird\n')
})
