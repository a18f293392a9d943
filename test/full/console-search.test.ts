import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';

const options = { skip: noChromium, timeout: 240_000 };

test(
  'a search answers while it is typed, and is one search in the log, whether it was paused over or sent off',
  options,
  async (t) => {
    const app = await demo();
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    const sent: { query: string; draft: boolean }[] = [];
    page.on('request', (request) => {
      if (!request.url().endsWith('/v1/search')) return;
      const { query, draft = false } = request.postDataJSON() as { query: string; draft?: boolean };
      sent.push({ query, draft });
    });
    const recorded = async (query: string) => {
      await app.services.queryLog.flush();
      const { recent } = (await app.call('GET', '/v1/admin/activity')).body as {
        recent: { query: string }[];
      };
      return recent.filter((each) => each.query === query).length;
    };
    const field = page.getByRole('searchbox', { name: 'What do you want done?' });
    const query = 'echo the very same message';
    await field.pressSequentially(query, { delay: 60 });
    await page.locator('.hit').first().waitFor();
    await page.waitForURL(/q=echo\+the\+very\+same\+message$/);
    assert.equal(await field.evaluate((element) => element.matches(':focus')), true);
    assert.equal(await field.inputValue(), query);
    // Paused over: it was meant.
    await page.locator('.hit h2 a[href*="query="]').first().waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Search', level: 1 }).waitFor();
    // On a slow machine a pause between two letters is one, too.
    const meant = sent.flatMap((each) => (each.draft ? [] : [each.query]));
    assert.deepEqual([meant.at(-1), meant.filter((each) => each === query).length], [query, 1]);
    assert.ok(meant.every((each) => query.startsWith(each)));
    assert.equal(await recorded(query), 1);
    const other = 'weather for sailors';
    await field.fill(other);
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=weather/);
    await page.locator('.hit').first().waitFor();
    assert.deepEqual(sent.filter((each) => each.query === other && !each.draft).length, 1);
    assert.equal(await recorded(other), 1);
    await page.goBack();
    await page.waitForURL(/q=echo/);
    for (let tries = 0; tries < 100 && (await field.inputValue()) !== query; tries++)
      await page.waitForTimeout(20);
    assert.equal(await field.inputValue(), query);
    assert.deepEqual(faults, []);
  },
);

test('the tail of weak matches is folded, and opens by keyboard', options, async (t) => {
  const app = await demo();
  const { page } = await openPage(t, app);
  await signIn(page, app);
  await show(page, app, '/?q=send+an+email', 'Search');
  const folded = page.locator('details.tail');
  const summary = folded.locator('summary');
  await summary.waitFor();
  assert.match(await summary.innerText(), /^\d+ weaker match(es)?$/);
  const visible = page.locator('.hit:visible');
  const shown = await visible.count();
  assert.equal(await page.locator('.hit:visible', { hasText: 'weak match' }).count(), 0);
  await summary.focus();
  await page.keyboard.press('Enter');
  assert.ok((await visible.count()) > shown);
  await assertAccessible(page);
});

test('Ctrl-K leads to a tool by what it does, and searches for nobody', options, async (t) => {
  const app = await demo();
  const { page } = await openPage(t, app);
  await signIn(page, app);
  await app.services.queryLog.flush();
  const before = (await app.call('GET', '/v1/admin/activity')).body.searches;
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Page, server, tool or document' }).fill('echo a message back');
  const option = page.getByRole('option', { name: /^echo\s*Tool of Everything$/ });
  await option.waitFor();
  await option.click();
  await page.waitForURL(/\/catalogue\/everything\?tool=echo$/);
  await page.getByRole('button', { name: 'Try it' }).waitFor();
  await app.services.queryLog.flush();
  assert.deepEqual((await app.call('GET', '/v1/admin/activity')).body.searches, before);
});

test(
  'Ctrl-K says that nothing is called so, and one kind that cannot be asked keeps no other back',
  options,
  async (t) => {
    const app = await demo();
    const { page, context } = await openPage(t, app);
    const key = await app.newKey({ name: 'caller', developer: 'Acme', scopes: ['mcp'] });
    await signIn(page, app, key);
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'Page, server, tool or document' });
    await field.fill('qqxyzzy');
    await page.getByText('Nothing is called so.').waitFor();
    await page.keyboard.press('Enter');
    await assertAccessible(page);
    await context.clearCookies();
    await page.goto(app.url);
    await signIn(page, app);
    await page.route('**/v1/servers?*', (route) => route.abort());
    await page.keyboard.press('Control+k');
    await field.fill('token exchange');
    await page
      .getByRole('option', { name: /token exchange/i })
      .nth(1)
      .waitFor();
  },
);
