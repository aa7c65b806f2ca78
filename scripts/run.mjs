// The entry of `npm start` and `npm test`. It imports nothing, so that an old Node gets as far as the message.
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Mynah needs Node 20.19 or newer; this is ${process.version} (${process.execPath}).\n` +
      'Install a newer one from https://nodejs.org and run the command again.',
  )
  process.exitCode = 1
} else {
  // Until it is known better: a promise that nobody settles would otherwise end in success.
  process.exitCode = 1
  const [command, ...args] = process.argv.slice(2)
  import(`./${command}.mjs`)
    .then((module) => module.main(args))
    .then((code) => {
      process.exitCode = code
    })
    .catch((error) => {
      console.error(error.shown ? error.message : error)
    })
}
