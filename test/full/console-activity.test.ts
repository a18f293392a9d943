import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Activity } from '../../sdk/api.ts';
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

/** Of each column of a drawing: from where to where each of these colours goes, downwards; null where it has none of it. */
const heightsOf = `(canvas, names) => {
  const styles = getComputedStyle(document.documentElement);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const wanted = names.map((name) => {
    const hex = styles.getPropertyValue(name).trim();
    return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  });
  const columns = Array.from({ length: canvas.width }, () => names.map(() => null));
  for (let i = 0; i < data.length; i += 4) {
    const at = wanted.findIndex((colour) => data[i + 3] === 255 && colour.every((value, k) => data[i + k] === value));
    if (at < 0) continue;
    const [row, column] = [Math.floor(i / 4 / canvas.width), columns[(i / 4) % canvas.width]];
    column[at] = [column[at]?.[0] ?? row, row];
  }
  return columns;
}`;
type Height = readonly [top: number, foot: number] | null;

test(
  'whose faults they were stands upon each other in one bar, and in a table whose times lead to the calls',
  options,
  async (t) => {
    const app = await demo();
    // Ours is not among them: nothing of ours fails here.
    await app.add('gone', 'http://127.0.0.1:9/mcp');
    await app.call('POST', '/v1/search', { body: { query: 5 } });
    for (let i = 0; i < 3; i++) await app.tool('gone', 'anything', {});
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/activity', 'Activity');
    const drawing = page.getByRole('img', { name: /by their callers/ }).locator('canvas');
    await drawing.waitFor();
    const canvas = `document.querySelector('[aria-label*="by their callers"] canvas')`;
    const columns = (await page.evaluate(
      `(${heightsOf})(${canvas}, ['--accent', '--warn', '--second'])`,
    )) as (readonly Height[])[];
    for (const end of [0, 1, 2])
      assert.ok(
        columns.some((heights) => heights[end] != null),
        `${end} is seen`,
      );
    // A minute may be over between two requests: there are two bars then.
    for (const heights of columns) {
      const there = heights.filter((height) => height !== null);
      for (const [i, upper] of there.entries())
        assert.ok(i === 0 || upper[1] < there[i - 1]![0], `${upper} stands upon ${there[i - 1]}`);
    }
    await page.getByText('Both as a table').click();
    const table = page.getByRole('region', { name: 'Requests by time' });
    const head = await table.getByRole('columnheader').allTextContents();
    assert.deepEqual(head.slice(0, 5), [
      'From',
      'Went well',
      'Failed by callers',
      'Failed by servers',
      'Failed by us',
    ]);
    const rows = await table.locator('tbody tr').all();
    const told = await Promise.all(rows.map((row) => row.locator('td').allTextContents()));
    const sums = [0, 1, 2, 3].map((at) => told.reduce((sum, row) => sum + Number(row[at]), 0));
    const { total } = (await app.call('GET', '/v1/admin/activity')).body as Activity;
    const { requests, client_errors: c, upstream_errors: u, server_errors: s } = total;
    assert.deepEqual(sums, [requests - c - u - s, c, u, s]);
    assert.ok(c > 0 && u >= 3);
    await assertAccessible(page);
    await table.getByRole('link').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/activity\/calls\?from=.*&to=/);
    await page
      .getByRole('rowheader', { name: /^anything/ })
      .first()
      .waitFor();
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
