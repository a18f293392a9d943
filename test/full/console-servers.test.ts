import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';

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
