#!/usr/bin/env node
import '../dist/compliance/cli.js'
