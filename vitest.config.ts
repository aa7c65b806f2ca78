import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'audit/test/**/*.test.ts',
      'simulation/test/**/*.test.ts',
      'simulation/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'scripts/test/**/*.test.ts',
    ],
    // lzma-native aborts the process when a worker thread ends while it works.
    pool: 'forks',
    testTimeout: 30_000,
  },
})
