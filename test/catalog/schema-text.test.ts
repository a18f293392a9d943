import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bootApp, temporaryFolder } from '../support/app.ts';

const schema = '{"default":9007199254740993,"x":1.0}';
const server = (id: string, name = 'inputSchema') =>
  `{"id":"${id}","name":"Zeppelin hangar","description":"Books a zeppelin hangar",` +
  `"tools":[{"name":"book_hangar","description":"Book a zeppelin hangar","${name}":${schema}}]}`;

/** What a search shows of the one server there is, as text. */
async function searched(t: TestContext, add: (app: Awaited<ReturnType<typeof bootApp>>) => Promise<unknown>) {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await add(app);
  for (let tries = 0; tries < 100; tries++) {
    const { text } = await app.call('POST', '/v1/search', { body: { query: 'book a zeppelin hangar' } });
    if (text.includes('book_hangar')) return text;
    await delay(50);
  }
  return assert.fail('not found by search');
}

const files = {
  'a.jsonl': `${server('a')}\n`,
  'an-array.json': `[${server('a', 'input_schema')}]`,
  'a-dump.json': `{"servers":[${server('a')}]}`,
};
for (const [name, text] of Object.entries(files))
  test(`a schema that was imported from ${name} reaches a search hit byte for byte`, async (t) => {
    const file = join(temporaryFolder(t), name);
    writeFileSync(file, text);
    const shown = await searched(t, ({ services }) => services.catalog.importFile(file, { source: 'test' }));
    assert.ok(shown.includes(`"input_schema":${schema}`), shown);
  });

for (const body of [server('a'), `[${server('a', 'input_schema')}]`])
  test(`a schema that was posted as ${body[0]} reaches a search hit byte for byte`, async (t) => {
    const shown = await searched(t, (app) => app.call('POST', '/v1/admin/servers', { body }));
    assert.ok(shown.includes(`"input_schema":${schema}`), shown);
  });
