#!/usr/bin/env node
import { playGame } from './game.js'

if (process.argv.length > 2) {
  console.log(`game-client

A game on two devices with a database each, and a mirror on a free port of 127.0.0.1 that goes away while both play:
levels that were read before are there without a network, and saves made on both are merged when it is back.`)
} else {
  const { saves } = await playGame(console.log)
  console.log(`merged: ${saves[0]!.rev} on all devices`)
}
