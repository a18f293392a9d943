import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumPath, noChromium } from '../test/support/console.ts';
import { adminKey, checkout } from './start.ts';
import { median, printTable, serve } from './support.ts';

/** As people look at it: a desk beside the service, and what Lighthouse takes for a phone (150 ms, 1.6 Mbit/s, a processor a quarter as fast). */
const devices = {
  desk: { viewport: { width: 1280, height: 900 }, slow: null },
  phone: {
    viewport: { width: 360, height: 740 },
    slow: { latency: 150, downloadThroughput: 204_800, uploadThroughput: 96_000, cpu: 4 },
  },
} as const;
const pages = ['/', '/?q=send+an+email', '/catalogue', '/activity', '/docs/getting-started'];
const tries = 3;

type Device = (typeof devices)[keyof typeof devices];
type Look = { readonly requests: number; readonly bytes: number } & Paints;
type Paints = { readonly first: number; readonly largest: number; readonly shift: number };

/** What a page of the console costs whoever opens it: bytes, first paint, the largest one, how much of it moves afterwards. */
export async function run(): Promise<void> {
  if (noChromium !== false) return console.log(noChromium);
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
  };
  const served = await serve([checkout, 'serve'], env);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  const signedIn = await signIn(browser, served.url);
  const rows: string[][] = [];
  for (const [name, device] of Object.entries(devices))
    for (const path of ['sign-in', ...pages]) {
      const target = served.url + (path === 'sign-in' ? '/' : path);
      const state = path === 'sign-in' ? undefined : signedIn;
      const { cold, again } = await looksAt(browser, { target, state, device });
      rows.push([path, name, ...cellsOf(cold), ...cellsOf(again).slice(0, 3)]);
    }
  await browser.close();
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
  const first = ['requests', 'KB', 'first paint ms', 'largest ms', 'shift'];
  printTable(['page', 'on', ...first, 'again: requests', 'KB', 'first paint ms'], rows);
}

type SignedIn = Awaited<ReturnType<typeof signIn>>;

/** The middle of several looks with nothing kept, and of as many with what those left. */
async function looksAt(
  browser: Browser,
  at: { readonly target: string; readonly state: SignedIn | undefined; readonly device: Device },
): Promise<{ readonly cold: Look; readonly again: Look }> {
  const { target, state, device } = at;
  const looks: { readonly cold: Look; readonly again: Look }[] = [];
  for (let i = 0; i < tries; i++) {
    const context = await browser.newContext({
      viewport: device.viewport,
      ...(state && { storageState: state }),
    });
    const cold = await look(await context.newPage(), target, device);
    looks.push({ cold, again: await look(await context.newPage(), target, device) });
    await context.close();
  }
  const middle = (which: 'cold' | 'again'): Look => {
    const of = (name: keyof Look) => median(looks.map((each) => each[which][name]));
    return {
      requests: of('requests'),
      bytes: of('bytes'),
      first: of('first'),
      largest: of('largest'),
      shift: of('shift'),
    };
  };
  return { cold: middle('cold'), again: middle('again') };
}

/** What a context has to have for that. */
async function signIn(browser: Browser, url: string) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.getByLabel('API key').fill(adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.layout').waitFor();
  const state = await page.context().storageState();
  await page.context().close();
  return state;
}

async function look(page: Page, target: string, { slow }: Device): Promise<Look> {
  const devtools = await page.context().newCDPSession(page);
  const counted = { requests: 0, bytes: 0 };
  devtools.on('Network.loadingFinished', ({ encodedDataLength }) => {
    if (encodedDataLength > 0) counted.requests++;
    counted.bytes += encodedDataLength;
  });
  await devtools.send('Network.enable');
  if (slow !== null) {
    const { cpu, ...network } = slow;
    await devtools.send('Network.emulateNetworkConditions', { offline: false, ...network });
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: cpu });
  }
  await page.goto(target);
  await page.getByRole('heading', { level: 1 }).waitFor();
  // Streams stay open: what is still to come has come by then.
  await page.waitForTimeout(slow === null ? 300 : 1_000);
  const paints = (await page.evaluate(readPaints)) as Paints;
  await page.close();
  return { ...counted, ...paints };
}

/** What the browser itself has noted; milliseconds since the page was asked for. */
const readPaints = `new Promise((resolve) => {
  const found = { first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN, largest: NaN, shift: 0 };
  const watch = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  watch('largest-contentful-paint', ({ startTime }) => { found.largest = startTime; });
  watch('layout-shift', ({ value, hadRecentInput }) => { if (!hadRecentInput) found.shift += value; });
  setTimeout(() => resolve(found), 100);
})`;

function cellsOf({ requests, bytes, first, largest, shift }: Look): string[] {
  return [
    String(requests),
    (bytes / 1_024).toFixed(0),
    first.toFixed(0),
    largest.toFixed(0),
    shift.toFixed(2),
  ];
}
