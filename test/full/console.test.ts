import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type TestContext, test } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { adminKey, bootApp } from '../support/app.ts';
import { bootConsole, buildConsole, chromiumPath, noChromium } from '../support/console.ts';
import type { McpTestApp } from '../support/mcp-app.ts';

const options = { skip: noChromium, timeout: 240_000 };
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const paths = [
  ['Search', '/'],
  ['Search', '/?q=send+an+email'],
  ['Search', '/?q=qqxyzzy'],
  ['Catalogue', '/catalogue'],
  ['Everything', '/catalogue/everything?tool=echo'],
  ['Activity', '/activity'],
  ['Keys', '/keys'],
  ['Users', '/connections'],
  ['Audit', '/audit'],
  ['Settings', '/settings'],
  ['Docs', '/docs'],
  ['Search and ranking', '/docs/search'],
  ['Not here', '/docs/search/../../catalogue/../keys/../nothing'.replace(/.*\//, '/settings/../')],
] as const;

let launched: Promise<Browser> | undefined;

/** A page whose console and network are watched: nothing may be refused by the policy, nothing may leave the origin. */
async function openPage(
  t: TestContext,
  app: { url: string },
  settings: Parameters<Browser['newContext']>[0] = {},
) {
  launched ??= chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  const context = await (await launched).newContext(settings);
  t.after(() => context.close());
  const page = await context.newPage();
  const faults: string[] = [];
  const outside: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(app.url) && !request.url().startsWith('blob:')) outside.push(request.url());
  });
  return { page, context, faults, outside };
}

async function signIn(page: Page, app: { url: string }, key = adminKey): Promise<void> {
  await page.goto(app.url);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor({ state: 'attached' });
}

async function show(page: Page, app: { url: string }, path: string, title: string): Promise<void> {
  await page.goto(app.url + path);
  await page.getByRole('heading', { name: title, exact: true, level: 1 }).waitFor();
  await page.locator('.skeleton').waitFor({ state: 'detached' });
}

let booted: Promise<McpTestApp> | undefined;
const closing: (() => unknown)[] = [];

/** One service for all tests of this file. */
function demo(): Promise<McpTestApp> {
  booted ??= buildConsole().then(() =>
    bootConsole({ after: (act: () => unknown) => void closing.unshift(act) } as never),
  );
  return booted;
}

test.after(async () => {
  await (await launched)?.close();
  for (const act of closing) await act();
});
