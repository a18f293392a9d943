import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';

const options = { skip: noChromium, timeout: 240_000 };

test(
  'a day is drawn hour by hour; an hour leads to its calls, a chart’s point to those of its time',
  options,
  async (t) => {
    const app = await demo();
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/activity', 'Activity');
    await page.getByText('Live, told anew').waitFor();
    const map = page.getByRole('region', { name: 'Calls of the last day' });
    const hour = map.getByRole('link', { name: /^\d+ calls? at \d\d:\d\d.*failed by/ }).first();
    await hour.waitFor();
    await assertAccessible(page);
    await hour.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Calls', level: 1 }).waitFor();
    await page.waitForURL(/server_id=everything&from=.*&to=/);
    assert.equal(await page.getByRole('textbox', { name: 'Server' }).inputValue(), 'everything');
    assert.notEqual(await page.getByLabel('From').inputValue(), '');
    await page.getByRole('rowheader', { name: /^echo/ }).first().waitFor();
    const rows = await page.getByRole('row').count();
    await page.getByLabel('Outcome').selectOption('ok');
    await page.waitForURL(/outcome=ok/);
    await page.reload();
    await page.getByRole('rowheader', { name: /^echo/ }).first().waitFor();
    assert.equal(await page.getByLabel('Outcome').inputValue(), 'ok');
    assert.ok((await page.getByRole('row').count()) < rows);

    await show(page, app, '/activity', 'Activity');
    await page.getByRole('link', { name: /^ok \d/ }).waitFor();
    const chart = page.getByRole('img', { name: /by their callers/ });
    await chart.hover();
    await chart.click();
    await page.waitForURL(/activity\/calls\?from=/);
    assert.deepEqual(faults, []);
  },
);

test('whose right ends hears no more: the live page is the sign-in', options, async (t) => {
  const app = await demo();
  const key = await app.newKey({ developer: 'Watcher', name: 'watching', scopes: ['admin', 'search'] });
  const { page } = await openPage(t, app);
  await signIn(page, app, key);
  await show(page, app, '/activity', 'Activity');
  await page.getByText('Live, told anew').waitFor();
  const keys = (await app.call('GET', '/v1/admin/keys')).body.keys as { key_id: string; name: string }[];
  await app.call('DELETE', `/v1/admin/keys/${keys.find(({ name }) => name === 'watching')?.key_id}`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});
