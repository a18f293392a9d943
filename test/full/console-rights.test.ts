import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';

const options = { skip: noChromium, timeout: 240_000 };

test(
  'a toolset is made, its faults shown at their rule, bound, and what a key sees follows every change',
  options,
  async (t) => {
    const app = await demo();
    const tools = ['read_note', 'write_note'].map((name) => ({ name, inputSchema: { type: 'object' } }));
    await app.add('0/desk', 'https://desk.example.com/mcp', { tools });
    await app.add('0/safe', 'https://safe.example.com/mcp', { tools, visibility: 'private' });
    const key = await app.newKey({ developer: 'Reader', name: 'reading agent' });
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    const dialog = page.getByRole('dialog');
    await show(page, app, '/keys/toolsets', 'Toolsets');
    await page.getByRole('row', { name: /No secrets.*1 rule.*allowed/ }).waitFor();
    await page.getByRole('button', { name: 'Make a toolset' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('Read Only');
    await dialog.getByRole('button', { name: 'Make the toolset' }).click();
    await dialog.getByRole('alert').getByText('1 to 64 of a-z').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('no-secrets');
    await dialog.getByRole('button', { name: 'Make the toolset' }).click();
    await dialog.getByText('There is a toolset of this name').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('readers');
    await dialog.getByLabel('Title').fill('Readers');
    await dialog.getByRole('button', { name: 'Make the toolset' }).click();
    await page.getByRole('heading', { name: 'Readers', level: 1 }).waitFor();
    await page.getByText('Nobody: it denies nothing yet').waitFor();

    const rule = (n: number) => page.getByRole('group', { name: `Rule ${n}` });
    for (let i = 0; i < 3; i++) await page.getByRole('button', { name: 'Add a rule' }).click();
    await rule(1).getByText('It names nothing').waitFor();
    await rule(1).getByLabel('Server').fill('0/*');
    await rule(1).getByLabel('Tool').fill('read_*');
    await page.getByRole('button', { name: 'Remove rule 2' }).click();
    await rule(2).getByLabel('Effect').selectOption('deny');
    await rule(2)
      .getByLabel('Tags')
      .fill(`beta\n${'x'.repeat(101)}`);
    await page.getByRole('button', { name: 'Save' }).click();
    await rule(2).getByText('line 2: expected a string of 1 to 100 characters').waitFor();
    assert.equal(await rule(1).locator('.error').count(), 0);
    assert.match(await rule(2).locator(':focus').inputValue(), /^beta/);
    await assertAccessible(page);
    await rule(2).getByLabel('Tags').fill('no such tag\nnor, this');
    await rule(2).locator('.error').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved as version 2').waitFor();
    await rule(2).getByText('fits no tool here').waitFor();
    assert.equal(await rule(1).locator('.warn').count(), 0);
    const rules = [
      { effect: 'allow', server: '0/*', tool: 'read_*' },
      { effect: 'deny', tags: ['no such tag', 'nor, this'] },
    ];
    const stored = async () => (await app.call('GET', '/v1/admin/toolsets/readers')).body;
    assert.deepEqual(await stored(), {
      name: 'readers',
      title: 'Readers',
      rules,
      default: 'deny',
      version: 2,
    });

    await page.getByRole('combobox', { name: 'Key' }).selectOption({ label: 'reading agent of Reader' });
    await page.getByText('not bound to that key').waitFor();
    const desk = page.getByRole('row', { name: '0/desk' });
    await desk.getByText('by no toolset').first().waitFor();
    await page.getByRole('button', { name: 'Change the bindings' }).click();
    await dialog.getByLabel('reading agent').check();
    await assertAccessible(page);
    await dialog.getByRole('button', { name: 'Bind' }).click();
    await page.getByRole('definition').getByText('reading agent').waitFor();
    await desk.getByText('denied').first().waitFor();
    assert.match(
      await desk.innerText(),
      /allowed\s+by readers\s+read_note\s+denied\s+by readers\s+write_note/,
    );
    assert.match(await page.getByRole('row', { name: '0/safe' }).innerText(), /not granted/);
    assert.equal(await page.getByText('not bound to that key').count(), 0);
    await rule(1).getByLabel('Tool').fill('write_*');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved as version 3').waitFor();
    await desk.getByText('allowed').waitFor();
    assert.match(
      await desk.innerText(),
      /denied\s+by readers\s+read_note\s+allowed\s+by readers\s+write_note/,
    );
    const before = await page.getByRole('rowheader').count();
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('rowheader').nth(before).waitFor();
    await assertAccessible(page);
    assert.equal((await app.tool('everything', 'echo', { message: 'x' }, { key })).status, 403);

    await rule(1).getByText('What the tool does').click();
    await rule(1).getByLabel('Destructive').selectOption('yes');
    await rule(1).getByLabel('Arguments').fill('to below 5');
    await page.getByLabel('Calls a day').fill('50');
    await page.getByRole('button', { name: 'Pin a tool' }).click();
    const words = page.getByRole('group', { name: 'Tool 1' });
    await words.getByLabel('Server').fill('0/desk');
    await words.getByLabel('Tool', { exact: true }).fill('read_nots');
    await words.getByText('has no tool of that name now').waitFor();
    const suggested = words.locator('datalist option');
    assert.deepEqual(
      await suggested.evaluateAll((options) => options.map((option) => option.getAttribute('value'))),
      ['read_note', 'write_note'],
    );
    await words.getByLabel('Tool', { exact: true }).fill('read_note');
    await words.getByText('has no tool of that name now').waitFor({ state: 'detached' });
    await words.getByLabel('Pinned').check();
    await words.getByLabel('Title').fill('Reads a note');
    await page.getByRole('button', { name: 'Save' }).click();
    await rule(1).getByText('line 1: expected one of equals, prefix, matches, max').waitFor();
    assert.equal(await rule(1).locator(':focus').inputValue(), 'to below 5');
    await assertAccessible(page);
    await rule(1).getByLabel('Arguments').fill('to max 5');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved as version 4').waitFor();
    assert.deepEqual(await stored(), {
      name: 'readers',
      title: 'Readers',
      rules: [
        {
          effect: 'allow',
          server: '0/*',
          tool: 'write_*',
          destructive: true,
          arguments: [{ path: 'to', max: 5 }],
        },
        rules[1],
      ],
      default: 'deny',
      budget: { calls_per_day: 50 },
      overrides: [{ server: '0/desk', tool: 'read_note', title: 'Reads a note', pinned: true }],
      version: 4,
    });

    await page.reload();
    await rule(2).getByLabel('Tags').waitFor();
    assert.equal(await rule(2).getByLabel('Tags').inputValue(), 'no such tag\nnor, this');
    assert.ok(await words.getByLabel('Pinned').isChecked());
    await words.getByLabel('Pinned').uncheck();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved as version 5').waitFor();
    assert.deepEqual((await stored()).overrides, [
      { server: '0/desk', tool: 'read_note', title: 'Reads a note' },
    ]);
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('heading', { name: 'Toolsets', level: 1 }).waitFor();
    assert.equal((await app.tool('everything', 'echo', { message: 'x' }, { key })).status, 200);
    assert.deepEqual(faults, []);
  },
);

test(
  'calls are found by developer, server, tool, outcome and time, looked into, and saved as JSON Lines',
  options,
  async (t) => {
    const app = await demo();
    const key = await app.newKey({ developer: 'Acme', name: 'caller' });
    assert.equal((await app.tool('everything', 'get-env', {}, { key })).status, 403);
    assert.equal((await app.tool('everything', 'get-sum', { a: 1, b: 2 }, { key })).status, 200);
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/activity/calls', 'Calls');
    const rows = page.getByRole('rowheader');
    const filled = (name: string) => page.getByRole('search').getByLabel(name, { exact: true });
    const filter = () => page.getByRole('button', { name: 'Filter' }).click();
    await page.getByRole('row', { name: /get-env.*caller.*denied\s*by no-secrets/ }).waitFor();
    await page.getByRole('row', { name: /^echo/ }).first().waitFor();
    await page.getByRole('combobox', { name: 'Developer' }).selectOption('Acme');
    await page.getByRole('rowheader', { name: /^echo/ }).first().waitFor({ state: 'detached' });
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('ok');
    await page.getByRole('rowheader', { name: /^get-env/ }).waitFor({ state: 'detached' });
    assert.deepEqual(await rows.allInnerTexts(), ['get-sum\nof everything']);
    await page.getByRole('button', { name: 'Details of get-sum' }).click();
    const details = await page.getByRole('dialog').innerText();
    assert.match(details, /Acme · dev_[\s\S]*caller · key_[\s\S]*Arguments \(SHA-256\)\s+[0-9a-f]{64}/);
    await assertAccessible(page);
    await page.keyboard.press('Escape');
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download as JSON Lines' }).click(),
    ]);
    assert.equal(saved.suggestedFilename(), 'calls.jsonl');
    const lines = readFileSync(await saved.path(), 'utf8')
      .trimEnd()
      .split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).tool),
      ['get-sum'],
    );
    for (const [name, text] of [
      ['Server', 'protected-files'],
      ['Tool', 'get-env'],
      ['User', 'nobody@example.com'],
      ['From', '2999-01-01T00:00'],
      ['Before', '2020-01-01T00:00'],
    ] as const) {
      await filled(name).fill(text);
      await filter();
      await page.getByText('No tool was called like that').waitFor();
      await filled(name).fill('');
      await filter();
      await rows.first().waitFor();
    }
    await filled('From').fill('2020-01-01T00:00');
    await filled('Before').fill('2999-01-01T00:00');
    const answered = page.waitForResponse(/from=20\d\d-.*to=2/);
    await filter();
    await answered;
    assert.deepEqual(await rows.allInnerTexts(), ['get-sum\nof everything']);
    assert.deepEqual(faults, []);
  },
);

test(
  'a call that waits is looked at, approved and denied, by whoever has the scope for it',
  options,
  async (t) => {
    const app = await demo();
    const key = await app.newKey({ developer: 'Careful', name: 'agent' });
    const approver = await app.newKey({ developer: 'Office', name: 'approver', scopes: ['approve'] });
    await app.call('PUT', '/v1/admin/toolsets/asking', {
      body: { rules: [{ effect: 'ask', tool: 'echo' }], default: 'allow' },
    });
    await app.call('PUT', '/v1/admin/toolsets/asking/bindings', { body: { developers: ['Careful'] } });
    const call = (message: string) => app.tool('everything', 'echo', { message }, { key });
    const urlOf = async (message: string) =>
      ((await call(message)).body.approval as { url: string }).url.slice(app.url.length);
    const { page, faults } = await openPage(t, app);
    await signIn(page, app, approver);
    assert.deepEqual(await page.getByRole('navigation').getByRole('link').allInnerTexts(), [
      'Approvals',
      'Docs',
    ]);
    await page.getByText('Nothing waits here').waitFor();
    const dialog = page.getByRole('dialog');

    await show(page, app, await urlOf('one'), 'Approvals');
    assert.match(await dialog.innerText(), /echo of everything[\s\S]*asking, version 1[\s\S]*[0-9a-f]{64}/);
    await assertAccessible(page);
    await dialog.getByLabel('Note').fill('as agreed');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('row', { name: /echo.*approved/ }).waitFor();
    assert.equal((await call('one')).body.isError, false);

    await urlOf('two');
    await show(page, app, '/keys/approvals', 'Approvals');
    await page.getByRole('button', { name: /^Decide on echo/ }).click();
    await dialog.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('Nothing waits here').waitFor();
    assert.equal((await call('two')).status, 403);
    await page.getByRole('combobox', { name: 'State' }).selectOption('denied');
    await page.getByRole('row', { name: /echo.*denied/ }).waitFor();
    await assertAccessible(page);
    assert.deepEqual(faults, []);
  },
);

test('more calls than a page are read on', options, async (t) => {
  const app = await demo();
  const { page } = await openPage(t, app);
  await signIn(page, app);
  await page.route('**/v1/admin/calls?**', (route) => {
    const url = new URL(route.request().url());
    if (url.searchParams.get('limit') === '100') url.searchParams.set('limit', '2');
    return route.continue({ url: url.href });
  });
  await show(page, app, '/activity/calls', 'Calls');
  assert.equal(await page.getByRole('rowheader').count(), 2);
  await page.getByRole('button', { name: 'Show older' }).click();
  await page.getByRole('rowheader').nth(3).waitFor();
  const ids = await page
    .getByRole('button', { name: /^Details of / })
    .evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')));
  assert.equal(new Set(ids).size, 4);
});

test(
  'who may see a server is shown on its page and changed there, for operators only',
  options,
  async (t) => {
    const app = await demo();
    const guest = await app.newKey({ developer: 'Guest', name: 'guest' });
    const stranger = await app.newKey({ developer: 'Stranger', name: 'stranger' });
    const seenBy = async (key: string) =>
      (await app.call('GET', '/v1/servers/everything', { key })).status === 200;
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    const dialog = page.getByRole('dialog');
    const panel = page.getByRole('tabpanel');
    await show(page, app, '/catalogue/everything', 'Everything');
    await page.getByRole('tab', { name: 'Rights' }).click();
    await panel.getByText('everybody', { exact: true }).waitFor();
    assert.match(await panel.innerText(), /Owner\s+admin\s+Granted to\s+nobody/);
    assert.deepEqual([await seenBy(guest), await seenBy(stranger)], [true, true]);

    await panel.getByRole('button', { name: 'Change who may see it' }).click();
    await dialog.getByLabel('Visibility').selectOption('private');
    for (let i = 0; i < 2; i++) await dialog.getByRole('button', { name: 'Grant it to another' }).click();
    const grant = (n: number) => dialog.getByRole('group', { name: `Grant ${n}` });
    await grant(2).getByLabel('Granted to').fill('Guest');
    await grant(2).getByLabel('With credentials').check();
    await dialog.getByRole('button', { name: 'Remove grant 1' }).click();
    assert.equal(await grant(1).getByLabel('Granted to').inputValue(), 'Guest');
    await assertAccessible(page);
    await dialog.getByRole('button', { name: 'Set' }).click();
    await panel.getByText('its owner, and whom it is granted to').waitFor();
    assert.match(await panel.innerText(), /Guest, with the credentials kept for it/);
    assert.deepEqual([await seenBy(guest), await seenBy(stranger)], [true, false]);
    await assertAccessible(page);

    await panel.getByRole('button', { name: 'Change who may see it' }).click();
    await dialog.getByRole('button', { name: 'Remove grant 1' }).click();
    await dialog.getByLabel('Visibility').selectOption('public');
    await dialog.getByRole('button', { name: 'Set' }).click();
    await panel.getByText('everybody', { exact: true }).waitFor();
    assert.deepEqual((await app.call('GET', '/v1/admin/servers/everything/rights')).body, {
      visibility: 'public',
      developer: 'admin',
      granted: [],
    });
    assert.deepEqual(faults, []);

    const other = await openPage(t, app);
    await signIn(other.page, app, guest);
    await show(other.page, app, '/catalogue/everything', 'Everything');
    assert.equal(await other.page.getByRole('tab', { name: 'Rights' }).count(), 0);
    for (const path of ['/keys/toolsets', '/keys/toolsets?name=no-secrets', '/activity/calls'])
      await show(other.page, app, path, 'Not here');
  },
);
