/** The console in a real browser: one service and one browser for all tests of a file. */
import assert from 'node:assert/strict';
import { after, type TestContext } from 'node:test';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { adminKey } from './app.ts';
import { bootConsole, buildConsole, chromiumPath } from './console.ts';
import { host } from './fronts.ts';
import type { McpTestApp } from './mcp-app.ts';

let launched: Promise<Browser> | undefined;

/** A page whose console and network are watched: nothing may be refused by the policy, nothing may leave the origin. */
export async function openPage(
  t: TestContext,
  app: { url: string },
  settings: Parameters<Browser['newContext']>[0] = {},
) {
  // The tests' certificate is for a name that nobody resolves.
  const args = ['--no-sandbox', `--host-resolver-rules=MAP ${host} 127.0.0.1`];
  launched ??= chromium.launch({ executablePath: chromiumPath, args });
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

export async function signIn(page: Page, app: { url: string }, key = adminKey): Promise<void> {
  await page.goto(app.url);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.layout').waitFor();
}

export async function show(page: Page, app: { url: string }, path: string, title: string): Promise<void> {
  await page.goto(app.url + path);
  await page.getByRole('heading', { name: title, exact: true, level: 1 }).waitFor();
  await page.locator('.skeleton').waitFor({ state: 'detached' });
}

let booted: Promise<McpTestApp> | undefined;
const closing: (() => unknown)[] = [];

/** One service for all tests of a file. */
export function demo(): Promise<McpTestApp> {
  booted ??= buildConsole().then(() =>
    bootConsole({ after: (act: () => unknown) => void closing.unshift(act) } as never),
  );
  return booted;
}

after(async () => {
  await (await launched)?.close();
  for (const act of closing) await act();
});

type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };

/** What axe-core finds, in words. It is injected past the policy, which forbids foreign scripts. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
  )) as { violations: Violation[] };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}

/** As `violations`, in either theme. */
export async function assertAccessible(page: Page): Promise<void> {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await violations(page), [], colorScheme);
  }
}

/** Every page of the console: its heading, and where it is. */
export const consolePages = [
  ['Search', '/'],
  ['Search', '/?q=send+an+email'],
  ['Catalogue', '/catalogue'],
  ['Everything', '/catalogue/everything?tool=echo'],
  ['Activity', '/activity'],
  ['Calls', '/activity/calls'],
  ['Approvals', '/keys/approvals'],
  ['Keys', '/keys'],
  ['Toolsets', '/keys/toolsets'],
  ['No secrets', '/keys/toolsets?name=no-secrets'],
  ['Users', '/connections'],
  ['Issuers', '/issuers'],
  ['Webhooks', '/webhooks'],
  ['OAuth clients', '/oauth-clients'],
  ['Audit', '/audit'],
  ['Settings', '/settings'],
  ['Docs', '/docs'],
] as const;
