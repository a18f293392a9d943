import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';

const options = { skip: noChromium, timeout: 240_000 };

test(
  'a user is connected from the console, and providers say what they need and what is missing',
  options,
  async (t) => {
    const app = await demo();
    const { page, context, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/connections', 'Users');
    await page.getByRole('tab', { name: 'Providers' }).click();
    const ready = page.getByRole('row', { name: /idp/ });
    await ready.getByText('ready').waitFor();
    assert.match(await ready.innerText(), /\/v1\/identity\/callback\/idp/);
    assert.match(await page.getByRole('row', { name: /google/ }).innerText(), /GOOGLE_CLIENT_ID/);
    await assertAccessible(page);

    await page.getByRole('tab', { name: 'Connections' }).click();
    await page.getByRole('button', { name: 'Connect a user' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('User id').fill('eve@example.com');
    assert.deepEqual(await dialog.getByLabel('To').locator('option').allInnerTexts(), [
      'Test Suite',
      'An MCP server',
    ]);
    await dialog.getByRole('button', { name: 'Open a session' }).click();
    await dialog.getByText('Nobody has consented yet.').waitFor();
    await assertAccessible(page);
    const [consent] = await Promise.all([
      context.waitForEvent('page'),
      dialog.getByRole('link', { name: 'Open it here' }).click(),
    ]);
    await consent.waitForLoadState();
    await consent.getByRole('button').first().click();
    await dialog.getByText('eve@example.com is connected').waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page
      .getByRole('row', { name: /eve@example\.com/ })
      .getByText('active')
      .waitFor();
    assert.deepEqual(faults, []);
  },
);
