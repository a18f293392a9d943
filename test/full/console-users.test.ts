import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

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

test(
  "a user's own key is given in the console: tried first, then kept, and shown nowhere",
  options,
  async (t) => {
    const app = await demo();
    const server = await startRaw(t, ({ body, headers, path }, reply) => {
      const isTaken = headers['x-api-key'] === 'key-of-eve' && path === '/eu/mcp';
      if (!isTaken) return sendJson(reply, 401, { error: 'whose?' });
      const capabilities = { tools: {} };
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, tools: [] };
      sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
    });
    const made = await app.call('POST', '/v1/admin/servers', {
      body: {
        id: 'crm',
        name: 'CRM',
        description: 'd',
        remote_url: `${new URL(server.url).origin}/{region}/mcp`,
        tools: [],
        user_credentials: {
          headers: { 'X-Api-Key': '{api_key}' },
          variables: {
            api_key: { description: 'From your settings there.' },
            region: { choices: ['us', 'eu'], secret: false },
          },
        },
      },
    });
    assert.equal(made.status, 200, made.text);
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/connections', 'Users');
    await page.getByRole('tab', { name: 'Connections' }).click();
    await page.getByRole('button', { name: 'Connect a user' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('User id').fill('eve@example.com');
    await dialog.getByLabel('To').selectOption('An MCP server');
    await dialog.getByLabel('Server id').fill('crm');
    await dialog.getByRole('button', { name: 'Go on' }).click();
    const key = dialog.getByLabel('api_key');
    await dialog.getByText('From your settings there.').waitFor();
    assert.equal(await key.getAttribute('type'), 'password');
    await assertAccessible(page);
    await key.fill('another');
    const keep = dialog.getByRole('button', { name: 'Try and keep it' });
    await keep.click();
    await dialog.getByText('The server did not take it').waitFor();
    await key.fill('key-of-eve');
    await dialog.getByLabel('region').selectOption('eu');
    await keep.click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('row', { name: /crm/ }).getByText('active').waitFor();
    assert.doesNotMatch((await page.content()) + app.lines.join(''), /key-of-eve/);
    const { body } = await app.call('GET', '/v1/identity/connections?user_id=eve%40example.com');
    const kept = (body.connections as { server_id?: string; kind: string }[]).find(
      (each) => each.server_id === 'crm',
    );
    assert.equal(kept?.kind, 'key');
    assert.deepEqual(faults, []);
  },
);
