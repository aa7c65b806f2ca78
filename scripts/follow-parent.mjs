// Preloaded into the processes that `npm start` runs (node --import): ends them as a SIGTERM would when the
// parent asks for it, or is gone without asking. Windows has no such signal, and a killed parent sends none.
let handled = false

process.on('newListener', (event) => {
  if (event === 'SIGTERM') handled = true
})

function stop() {
  if (handled) process.emit('SIGTERM', 'SIGTERM')
  else process.exit(0)
}

if (process.connected) {
  process.on('message', (message) => {
    if (message === 'stop') stop()
  })
  process.on('disconnect', stop)
  process.channel.unref()
}
