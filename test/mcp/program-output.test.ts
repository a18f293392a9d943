import assert from 'node:assert/strict';
import { programTest as test } from '../support/full-run.ts';
import { bootPrograms, until } from '../support/programs.ts';

/** Says what it was given, and does not speak MCP. */
const telling = {
  command: process.execPath,
  args: [
    '-e',
    "console.error('starting with ' + process.env.SECRET); console.error('no such folder'); process.exit(1)",
  ],
  env: { SECRET: 'canary-of-the-program' },
};

test('the operator reads what a program wrote last, without its secrets; nobody else does', async (t) => {
  const app = await bootPrograms(t, { it: telling });
  const outputOf = async () =>
    (await app.call('GET', '/v1/admin/servers/it')).body.output as { at: string; line: string }[];
  await until('its lines are there', async () => (await outputOf()).length >= 2);
  const lines = (await outputOf()).map(({ line }) => line);
  assert.deepEqual(lines.slice(0, 2), ['starting with [SECRET]', 'no such folder']);
  for (const key of [await app.newKey(), await app.newKey({ scopes: ['search', 'mcp'] })])
    assert.equal((await app.call('GET', '/v1/admin/servers/it', { key })).status, 403);
  assert.ok(!(await app.call('GET', '/v1/servers')).text.includes('no such folder'));
  // Why it failed is told from the same lines.
  await until('its health says why', async () =>
    (await app.call('GET', '/v1/servers/it')).text.includes('no such folder'),
  );
  const shown = await app.call('GET', '/v1/servers/it');
  assert.ok(![shown.text, ...app.lines].some((text) => text.includes('canary-of-the-program')));
});
