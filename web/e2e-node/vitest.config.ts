// Tests from Node against clusters of real processes: npm run test:connect.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['e2e-node/**/*.test.ts'],
    setupFiles: ['test/node_18.ts'],
    environment: 'node',
    testTimeout: 240_000,
    hookTimeout: 120_000,
    fileParallelism: false, // one cluster at a time
  },
});
