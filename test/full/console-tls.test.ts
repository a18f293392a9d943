/** The console as a company meets it: over https, behind what ends TLS, its people signed in at its own provider. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { startCompany } from '../support/company.ts';
import { buildConsole, noChromium } from '../support/console.ts';
import { openPage, show } from '../support/console-browser.ts';
import { fronts, noFront, startFront } from '../support/fronts.ts';
import { startToolServer } from '../support/mcp-servers.ts';

const tools = [{ name: 'send', description: 'Sends', inputSchema: { type: 'object' } }];

/** Every cookie of ours: over https alone, from this very host, for no script. */
async function assertBound(context: BrowserContext, url: string, names: readonly RegExp[]): Promise<void> {
  const cookies = await context.cookies(url);
  assert.ok(cookies.length > 0);
  for (const { name, secure, httpOnly, path, domain } of cookies) {
    assert.match(name, /^__Host-/);
    assert.deepEqual([secure, httpOnly, path, domain], [true, true, '/', new URL(url).hostname], name);
  }
  for (const name of names)
    assert.ok(
      cookies.some((cookie) => name.test(cookie.name)),
      String(name),
    );
}

/** Something is made, changed, used and removed by the forms of every method. */
async function useForms(page: Page, at: { readonly url: string }, upstream: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await show(page, at, '/catalogue', 'Catalogue');
  await page.getByRole('button', { name: 'Add a server' }).click();
  await dialog.getByLabel('URL or mcp.json').fill(upstream);
  await dialog.getByText('has 1 tool').waitFor();
  await dialog.getByLabel('Id', { exact: true }).fill('posted');
  await dialog.getByLabel('Name', { exact: true }).fill('Posted');
  await dialog.getByRole('button', { name: 'Add it' }).click();
  await page.getByRole('heading', { name: 'Posted', level: 1 }).waitFor();
  await page.getByText('send', { exact: true }).click();
  await page.getByRole('button', { name: 'Try it' }).click();
  await page.getByRole('button', { name: 'Call the tool' }).click();
  await page.locator('.try').getByText('answered').waitFor();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await dialog.getByLabel('Name', { exact: true }).fill('Patched');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Patched', level: 1 }).waitFor();
  await show(page, at, '/keys/toolsets', 'Toolsets');
  await page.getByRole('button', { name: 'Make a toolset' }).click();
  await dialog.getByLabel('Name', { exact: true }).fill('put');
  await dialog.getByRole('button', { name: 'Make the toolset' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved as version 2').waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'Toolsets', level: 1 }).waitFor();
  await show(page, at, '/activity', 'Activity');
  await page.getByText('Live, told anew').waitFor();
}

for (const [name, front] of Object.entries(fronts))
  test(`a person of the company works in the console behind ${name}, over https: cookies are bound, every form works, and out is out`, {
    skip: noChromium || noFront(front),
    timeout: 120_000,
  }, async (t) => {
    await buildConsole();
    const company = await startCompany(t);
    const { url: upstream } = await startToolServer(t, () => tools);
    const { go } = await startFront(t, front, company.env({ MCPRANK_SSO_ROLES: 'engineering=admin' }));
    const at = { url: go.url };
    const { page, context, faults } = await openPage(t, at, { ignoreHTTPSErrors: true });
    await page.goto(at.url);
    await page.getByRole('link', { name: /^Sign in at / }).click();
    await page.locator('.layout').waitFor();
    assert.equal(new URL(page.url()).origin, at.url);
    await assertBound(context, at.url, [/^__Host-mcprank-console$/]);
    await useForms(page, at, upstream);
    assert.deepEqual(faults, []);

    await page.goto(`${at.url}/me`);
    await page.getByRole('link', { name: /^Sign in at / }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await assertBound(context, at.url, [/^__Host-mcprank-console$/, /^__Host-mcprank-me$/]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    assert.ok(!(await context.cookies(at.url)).some((cookie) => cookie.name === '__Host-mcprank-me'));

    await show(page, at, '/', 'Search');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.ok(!(await context.cookies(at.url)).some((cookie) => cookie.name === '__Host-mcprank-console'));
  });
