/** What servers ask for and answer beyond the usual, tried by a person: nothing of it is out of reach. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { noChromium } from '../support/console.ts';
import { assertAccessible, demo, openPage, show, signIn } from '../support/console-browser.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

const options = { skip: noChromium, timeout: 120_000 };
/** A picture of one pixel. */
const pixel =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const shape = {
  oneOf: [
    {
      type: 'object',
      title: 'Circle',
      required: ['radius'],
      properties: { radius: { type: 'number' } },
    },
    { type: 'object', title: 'Box', required: ['width'], properties: { width: { type: 'number' } } },
  ],
};
const tools = [
  {
    name: 'draw',
    inputSchema: {
      type: 'object',
      required: ['shape', 'colour'],
      properties: {
        shape,
        colour: {
          oneOf: [
            { const: 'f00', title: 'Red' },
            { const: '0f0', title: 'Green' },
          ],
        },
        grid: { type: 'array', items: { type: 'array', items: { type: 'integer' } } },
      },
    },
  },
  { name: 'anything', inputSchema: { type: 'object' } },
];
const content = [
  { type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav' },
  { type: 'resource_link', uri: 'note://one', name: 'One' },
  {
    type: 'resource',
    resource: { uri: 'file:///a/report.pdf', mimeType: 'application/pdf', blob: 'JVBERg==' },
  },
];

/** Says who it is as 2026-07-28 does, with an icon of its own and one elsewhere. */
async function startOdd(t: TestContext) {
  const called: unknown[] = [];
  const serverInfo = {
    name: 'odd',
    version: '1',
    icons: [{ src: 'https://elsewhere.example/i.png' }, { src: `data:image/png;base64,${pixel}` }],
  };
  const server = await startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const capabilities = { tools: {}, resources: {} };
    const base = {
      ...{ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, tools },
      _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
    };
    if (method === 'tools/call') called.push(params?.arguments);
    const own =
      method === 'tools/call'
        ? { content, structuredContent: [3, 'four'] }
        : { contents: [{ uri: 'note://one', mimeType: 'text/plain', text: 'What the note says' }] };
    sendJson(reply, 200, { jsonrpc: '2.0', id, result: { ...base, ...own } });
  });
  return { ...server, called };
}

test(
  'of several forms one is chosen, what no form holds is JSON, and every kind of answer is seen, read or saved',
  options,
  async (t) => {
    const app = await demo();
    const odd = await startOdd(t);
    await app.add('odd', odd.url, { name: 'Odd' });
    await app.call('POST', '/v1/admin/servers/odd/probe');
    const { page, faults, outside } = await openPage(t, app, { viewport: { width: 360, height: 740 } });
    await signIn(page, app);
    await show(page, app, '/catalogue/odd?tool=draw', 'Odd');
    const icon = page.locator('h1 img');
    await icon.waitFor();
    assert.equal(await page.evaluate(`document.querySelector('h1 img').naturalWidth`), 1);
    await page.getByRole('button', { name: 'Try it' }).click();
    const trial = page.locator('.try');
    const call = () => trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial.getByLabel('shape › radius').waitFor();
    await trial.getByLabel('shape', { exact: true }).selectOption('Box');
    await trial.getByLabel('shape › width').fill('2.5');
    await trial.getByLabel('colour').selectOption('Green');
    await trial.getByLabel('grid').fill('[[1, 2], []]');
    await assertAccessible(page);
    await call();
    await trial.getByText('answered').waitFor();
    assert.deepEqual(odd.called, [{ shape: { width: 2.5 }, colour: '0f0', grid: [[1, 2], []] }]);
    await trial.locator('audio').waitFor();
    await trial.getByRole('button', { name: 'Read One' }).click();
    await trial.getByText('What the note says').waitFor();
    const table = trial.getByRole('region', { name: 'Structured content' });
    assert.deepEqual(await table.getByRole('cell').allTextContents(), ['3', 'four']);
    const saved = page.waitForEvent('download');
    await trial.getByRole('button', { name: 'Save' }).click();
    const file = await saved;
    assert.equal(file.suggestedFilename(), 'report.pdf');
    assert.equal(readFileSync(await file.path(), 'utf8'), '%PDF');
    await assertAccessible(page);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);

    await show(page, app, '/catalogue/odd?tool=anything', 'Odd');
    await page.getByRole('button', { name: 'Try it' }).click();
    await trial.getByText('Nothing to fill in.').waitFor();
    await trial.getByRole('button', { name: 'Write it as JSON' }).click();
    const json = trial.getByLabel('Arguments as JSON');
    await json.fill('[1]');
    await call();
    await trial.getByText('An object in JSON is expected.').waitFor();
    assert.equal(odd.called.length, 1);
    await json.fill('{"deep": [{"x": null}]}');
    await assertAccessible(page);
    await call();
    await trial.getByText('answered').waitFor();
    assert.deepEqual(odd.called[1], { deep: [{ x: null }] });
    assert.deepEqual([faults, outside], [[], []]);
  },
);

test(
  'the reference server’s pictures, links to resources and titled choices are within reach',
  options,
  async (t) => {
    const app = await demo();
    const { page, faults } = await openPage(t, app);
    await signIn(page, app);
    const trial = page.locator('.try');
    const open = async (tool: string) => {
      await show(page, app, `/catalogue/everything?tool=${tool}`, 'Everything');
      await page.getByRole('button', { name: 'Try it' }).click();
    };
    await open('get-tiny-image');
    await trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial.getByRole('img', { name: 'What the tool answered' }).waitFor();
    await open('get-resource-links');
    await trial.getByLabel('count').fill('2');
    await trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial
      .getByRole('button', { name: /^Read / })
      .first()
      .click();
    await trial
      .getByText(/This is a (plaintext )?resource|Resource 1/)
      .first()
      .waitFor();
    await open('get-structured-content');
    await trial.getByLabel('location').selectOption('Chicago');
    await trial.getByRole('button', { name: 'Call the tool' }).click();
    await trial.getByRole('region', { name: 'Structured content' }).getByText('temperature').waitFor();
    await assertAccessible(page);
    assert.deepEqual(faults, []);
  },
);

test(
  'of an answer of megabytes, or of hundreds of blocks, a part is shown and all can be saved',
  options,
  async (t) => {
    const app = await demo();
    const long = 'x'.repeat(2_000_000);
    const blocks = [long, ...Array.from({ length: 150 }, (_, i) => `block ${i}`)];
    const server = await startRaw(t, ({ body }, reply) => {
      const base = {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        tools,
      };
      const result = { ...base, content: blocks.map((text) => ({ type: 'text', text })) };
      sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
    });
    await app.add('huge', server.url, { name: 'Huge' });
    await app.call('POST', '/v1/admin/servers/huge/probe');
    const { page } = await openPage(t, app);
    await signIn(page, app);
    await show(page, app, '/catalogue/huge?tool=anything', 'Huge');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByRole('button', { name: 'Call the tool' }).click();
    const answer = page.getByRole('region', { name: 'Answer' });
    await answer.getByText('The first 100,000 of 2,000,000 characters.').waitFor();
    await answer.getByText('The first 100 of 151; all are in the JSON.').waitFor();
    assert.ok((await answer.innerText()).length < 150_000);
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      answer.getByRole('button', { name: 'Save all' }).click(),
    ]);
    assert.equal(readFileSync(await saved.path(), 'utf8'), long);
    await assertAccessible(page);
  },
);
