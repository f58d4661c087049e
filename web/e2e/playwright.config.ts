// The page in Debian's Chromium against real clusters. `npm run e2e`; one test: `npm run e2e -- -g "its name"`.
import { defineConfig } from '@playwright/test';

// A busy machine may be slow; only a broken page is slower than this.
const kExpect_ms = Number(process.env['PARLEY_E2E_PATIENCE_MS'] ?? 30_000);
const kTest_ms = 120_000;

export default defineConfig({
  testDir: '.',
  testMatch: process.env['PARLEY_SCREENSHOTS'] === undefined ? '*.spec.ts' : 'screenshots.ts',
  outputDir: '../../build/web/e2e',
  timeout: kTest_ms,
  expect: { timeout: kExpect_ms, toPass: { timeout: 2 * kExpect_ms } },
  // Each worker has a cluster of its own.
  workers: Number(process.env['PARLEY_E2E_WORKERS'] ?? 1),
  fullyParallel: false,
  forbidOnly: true,
  reporter: [['list', { printSteps: false }]],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    actionTimeout: kExpect_ms,
    screenshot: 'only-on-failure',
    trace: 'off',
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
    },
  },
});
