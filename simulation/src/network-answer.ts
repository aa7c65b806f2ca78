import type { TransportAnswer } from '@mynah/replication'
import type { Exchange, Kind } from './network-exchange.js'
import { damaged } from './network-faults.js'

/** The patience of `httpTransport` between two parts of a body, milliseconds. */
const BODY_TIMEOUT_MS = 30_000
const GAPS_MAX = 4

type AnswerExchange = Exchange<TransportAnswer, TransportAnswer>

/** A request whose answer is read as a whole. Where its body was cut does not show, only that it was. */
export const wholeAnswer: Kind<TransportAnswer, TransportAnswer> = {
  serve: (handler, request) => handler.request(request),
  foreign: (answer) => answer,
  repeatable: true,
  receive(exchange, { status, headers, body: sent }) {
    const { fate, roads } = exchange
    const body = fate.damagedAnswer ? damaged(sent, roads.random) : sent.slice()
    const gaps = fate.slow && body.length > 0 ? roads.random.between(1, GAPS_MAX) : 0
    trickle(exchange, gaps, () => finish(exchange, { status, headers, body }))
  },
}

function trickle(exchange: AnswerExchange, gaps: number, whole: () => void): void {
  if (gaps === 0) return whole()
  const { connection, roads } = exchange
  connection.patience(BODY_TIMEOUT_MS, 'the answer stopped')
  connection.after(roads.random.around(roads.faults().slowMs), 'more of the answer', () =>
    trickle(exchange, gaps - 1, whole),
  )
}

function finish({ connection, request }: AnswerExchange, answer: TransportAnswer): void {
  if (answer.body.length <= request.answerBytesMax) return connection.succeed(answer)
  connection.fail(new RangeError(`answer of more than ${request.answerBytesMax} bytes`))
}
