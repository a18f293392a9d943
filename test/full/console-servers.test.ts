import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Server } from '../../sdk/api.ts';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { bootPrograms, until } from '../support/programs.ts';

const options = { skip: noChromium, timeout: 240_000 };

test(
  'a server is edited afterwards: what was typed, kept headers replaced and removed, never shown',
  options,
  async (t) => {
    const app = await demo();
    const { remote_url } = (await app.call('GET', '/v1/servers/everything')).body;
    await app.add('to edit', String(remote_url), {
      name: 'Before',
      headers: { Authorization: 'Bearer kept-one', 'X-Team': 'kept-two' },
    });
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/catalogue/to%20edit', 'Before');
    await page.getByRole('button', { name: 'Edit', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('After');
    await dialog.getByLabel('Tags').fill('first, second');
    await dialog.getByLabel('authorization', { exact: true }).fill('Bearer new-one');
    await dialog.getByRole('button', { name: 'Remove x-team' }).click();
    await assertAccessible(page);
    assert.doesNotMatch(await page.content(), /kept-(one|two)/);
    await dialog.getByLabel('URL').fill('http://10.0.0.1/mcp');
    await dialog.getByText('the headers that are kept go there').waitFor();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByRole('alert').getByText('remote_url: ').waitFor();
    assert.equal((await app.call('GET', '/v1/servers/to%20edit')).body.name, 'Before');
    await dialog.getByLabel('URL').fill(String(remote_url));
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'After', level: 1 }).waitFor();
    await page.getByRole('tab', { name: 'Tools (17)' }).waitFor();
    const kept = await app.services.catalog.credential('to edit');
    assert.deepEqual(kept?.headers, { authorization: 'Bearer new-one' });
    assert.deepEqual((await app.call('GET', '/v1/servers/to%20edit')).body.tags, ['first', 'second']);
    assert.deepEqual(faults, []);
  },
);

const orderTool = {
  name: 'order',
  description: 'Orders things',
  inputSchema: {
    type: 'object',
    required: ['lines'],
    properties: {
      lines: {
        type: 'array',
        minItems: 1,
        maxItems: 2,
        items: {
          type: 'object',
          required: ['sku'],
          properties: { sku: { type: 'string' }, amount: { type: 'integer', minimum: 1, maximum: 9 } },
        },
      },
      days: { type: 'array', items: { type: 'string', enum: ['mon', 'tue'] } },
    },
  },
};
const ordered = '# Ordered\n\n- **two** of [a](https://shop.example/a)\n- <b>one</b> of b';

/** Tells how far it is, and answers when it is let. */
async function startShop(t: TestContext) {
  const gate = Promise.withResolvers<void>();
  const called: unknown[] = [];
  const server = await startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
    if (method !== 'tools/call')
      return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { ...result, tools: [orderTool] } });
    called.push(params?.arguments);
    const { progressToken } = (params?._meta ?? {}) as { progressToken?: string };
    const send = (message: object) =>
      reply.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    send({
      method: 'notifications/progress',
      params: { progressToken, progress: 1, total: 4, message: 'looking for a' },
    });
    return void gate.promise.then(() => {
      send({ id, result: { ...result, content: [{ type: 'text', text: ordered }] } });
      reply.end();
    });
  });
  return { ...server, called, letIt: gate.resolve };
}

test(
  'a form of lists and choices, progress while it runs, and Markdown as it is meant',
  options,
  async (t) => {
    const app = await demo();
    const shop = await startShop(t);
    await app.add('shop', shop.url, { name: 'Shop' });
    await app.call('POST', '/v1/admin/servers/shop/probe');
    const { page, faults, outside } = await openPage(t, app, { viewport: { width: 360, height: 740 } });
    await signIn(page, app);
    await show(page, app, '/catalogue/shop?tool=order', 'Shop');
    await page.getByRole('button', { name: 'Try it' }).click();
    const trial = page.locator('.try');
    await trial.getByLabel('lines › 1 › sku').fill('a');
    await trial.getByLabel('lines › 1 › amount').fill('10');
    await trial.getByText('1 to 9').first().waitFor();
    await trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial.getByText('At most 9 is expected.').waitFor();
    await trial.getByLabel('lines › 1 › amount').fill('2');
    await trial.getByRole('button', { name: 'Add to lines' }).click();
    await trial.getByLabel('lines › 2 › sku').fill('b');
    assert.ok(await trial.getByRole('button', { name: 'Add to lines' }).isDisabled());
    await trial.getByRole('button', { name: 'Add to days' }).click();
    await trial.getByLabel('days › 1').selectOption('tue');
    await trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial.getByText('1 of 4 · looking for a').waitFor();
    assert.equal(await trial.getByRole('progressbar').getAttribute('value'), '1');
    await assertAccessible(page);
    shop.letIt();
    await trial.getByText('answered').waitFor();
    assert.deepEqual(shop.called, [{ lines: [{ sku: 'a', amount: 2 }, { sku: 'b' }], days: ['tue'] }]);
    await trial.locator('strong', { hasText: 'two' }).waitFor();
    await trial.getByText('<b>one</b> of b', { exact: true }).waitFor();
    assert.equal(
      await trial.getByRole('link', { name: 'a', exact: true }).getAttribute('rel'),
      'noreferrer noopener',
    );
    await assertAccessible(page);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);
    assert.deepEqual([faults, outside], [[], []]);
  },
);

test('the catalogue shows one’s own first, and in other orders', options, async (t) => {
  const app = await demo();
  const { page } = await openPage(t, app);
  await signIn(page, app);
  await show(page, app, '/catalogue', 'Catalogue');
  const own = page.getByRole('region', { name: 'Added here' });
  await own.getByRole('link', { name: 'Everything' }).waitFor();
  assert.ok((await page.getByRole('region', { name: 'From elsewhere' }).getByRole('listitem').count()) > 10);
  await page.getByLabel('Order').selectOption('health');
  await page.waitForURL(/sort=health/);
  await own.waitFor({ state: 'detached' });
  await page.reload();
  await page.locator('.rows .row').first().waitFor();
  assert.equal(await page.getByLabel('Order').inputValue(), 'health');
  await page.getByLabel('Order').selectOption('name');
  await page.waitForURL(/sort=name/);
  await page.locator('.skeleton').waitFor({ state: 'detached' });
  const names = await page.locator('.row-title strong').allInnerTexts();
  assert.ok(names.length > 10);
  assert.deepEqual(
    names.map((name) => name.toLowerCase()),
    names.map((name) => name.toLowerCase()).sort(),
  );
  await assertAccessible(page);
});

test('of a program that does not start, its page says why, and what it wrote', options, async (t) => {
  await demo();
  const script = "console.error('no token in the folder'); process.exit(1)";
  const app = await bootPrograms(t, { broken: { command: process.execPath, args: ['-e', script] } });
  await until('it was tried', async () => {
    const { body } = await app.call('GET', '/v1/servers/broken');
    return (body as Server).health?.state === 'down';
  });
  const { page, faults } = await openPage(t, app);
  await signIn(page, app);
  await show(page, app, '/catalogue/broken', 'broken');
  await page.getByText(/no token in the folder.*, since/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Edit' }).count(), 0);
  await page.getByRole('button', { name: 'Probe now' }).click();
  await page.getByRole('tab', { name: 'Output' }).click();
  await page
    .getByRole('region', { name: 'Its last lines' })
    .getByText('no token in the folder')
    .first()
    .waitFor();
  await assertAccessible(page);
  assert.deepEqual(faults, []);
});
