import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { done, mcprank, serving } from '../support/command.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { until } from '../support/programs.ts';

function catalogueFile(folder: string): string {
  const file = join(folder, 'catalogue.jsonl');
  writeFileSync(file, fixtureServers.map((server) => JSON.stringify(server)).join('\n'));
  return file;
}

test('import, list, search and remove work on the store without a server', async (t) => {
  const folder = temporaryFolder(t);
  const imported = await done(folder, ['catalog', 'import', catalogueFile(folder), '--json']);
  assert.equal(imported.code, 0, imported.err);
  assert.equal((JSON.parse(imported.out) as { added: number }).added, 4);
  const found = await done(folder, ['search', 'send an e-mail', '-n', '1', '--json']);
  assert.deepEqual(
    (JSON.parse(found.out) as { servers: { id: string }[] }).servers.map(({ id }) => id),
    ['com.example/mail'],
  );
  const shown = await done(folder, ['search', 'send an e-mail', '--explain']);
  assert.match(shown.out, /1\. Example Mail {2}\(com\.example\/mail\)/);
  const why = await done(folder, ['explain', 'put an event into the calendar, mail it', 'com.example/mail']);
  assert.match(why.out, /is number 2, /);
  assert.match(why.out, /Above it:/);
  assert.equal((await done(folder, ['explain', 'send an e-mail', 'nowhere'])).code, 4);
  const out = join(folder, 'outcomes.jsonl');
  assert.equal((await done(folder, ['learning', 'export', out, '--json'])).code, 0);
  assert.equal(readFileSync(out, 'utf8'), '');
  assert.equal((await done(folder, ['servers', 'remove', 'bare'])).code, 0);
  const listed = await done(folder, ['servers', 'list', '--json']);
  assert.deepEqual(
    (JSON.parse(listed.out) as { servers: { id: string }[] }).servers.map(({ id }) => id),
    ['com.example/calendar', 'com.example/mail', 'local-database'],
  );
});

test('exit codes and error texts are as documented', async (t) => {
  const folder = temporaryFolder(t);
  await done(folder, ['catalog', 'import', catalogueFile(folder)]);
  const cases: readonly (readonly [readonly string[], Record<string, string>, number, RegExp])[] = [
    [['--help'], {}, 0, /^$/],
    [['nonsense'], {}, 2, /unknown command/],
    [['search'], {}, 2, /missing required argument 'query'/],
    [['search', 'x', '-n', '99'], {}, 2, /expected a whole number from 1 to 50/],
    [
      ['keys', 'create', '--developer', 'd', '--tier', 'gold'],
      {},
      2,
      /tier: expected one of free, pro, enterprise/,
    ],
    [['keys', 'revoke', 'key_none'], {}, 4, /Key not found/],
    [['servers', 'remove', 'nowhere'], {}, 4, /Server not found/],
    [['catalog', 'import', join(folder, 'missing.jsonl')], {}, 2, /missing\.jsonl/],
    [
      ['serve'],
      { MCPRANK_PORT: 'x', MCPRANK_SYNC: 'maybe' },
      3,
      /has 2 faults:\n {2}MCPRANK_PORT: expected .*\n {2}MCPRANK_SYNC: expected/,
    ],
    [
      ['keys', 'list'],
      { DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' },
      5,
      /database is unreachable/,
    ],
  ];
  for (const [args, env, code, text] of cases) {
    const result = await done(folder, args, env);
    assert.equal(result.code, code, `${args.join(' ')}: ${result.err}`);
    assert.match(result.err, text, args.join(' '));
    assert.doesNotMatch(result.err, /hunter2|\n +at /, `${args.join(' ')} shows a secret or a stack`);
  }
});

test('with --json an error is JSON too', async (t) => {
  const folder = temporaryFolder(t);
  await done(folder, ['catalog', 'import', catalogueFile(folder)]);
  const result = await done(folder, ['keys', 'revoke', 'key_none', '--json']);
  assert.deepEqual(JSON.parse(result.err), { detail: 'Key not found', code: 'not_found' });
});

test('a key made and revoked by command is known to a running server within a second', async (t) => {
  const folder = temporaryFolder(t);
  const { url } = await serving(t, folder);
  const made = JSON.parse((await done(folder, ['keys', 'create', '--developer', 'acme', '--json'])).out) as {
    key: string;
    key_id: string;
  };
  const status = async () =>
    (await fetch(`${url}/v1/servers`, { headers: { 'x-api-key': made.key } })).status;
  assert.equal(await status(), 200);
  assert.equal((await done(folder, ['keys', 'revoke', made.key_id])).code, 0);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(await status(), 401);
});

test('the first start prints the admin key once, and it works', async (t) => {
  const folder = temporaryFolder(t);
  const { url, out, child } = await serving(t, folder, { MCPRANK_ADMIN_KEY: '' });
  const key = /sk_mcp_rank_[0-9a-f]{32}/.exec(out)?.[0] ?? '';
  assert.equal((await fetch(`${url}/v1/admin/keys`, { headers: { 'x-api-key': key } })).status, 200);
  child.kill('SIGTERM');
  await once(child, 'exit');
  const again = mcprank(folder, ['serve'], { MCPRANK_ADMIN_KEY: '' });
  t.after(() => again.kill('SIGKILL'));
  let text = '';
  for await (const chunk of again.stdout.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('listening')) break;
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.doesNotMatch(text, /sk_mcp_rank_/);
});

test('SIGTERM: what was accepted is answered, what was queued is written, and the process ends with 0', async (t) => {
  const folder = temporaryFolder(t);
  await done(folder, ['catalog', 'import', catalogueFile(folder)]);
  const { url, child } = await serving(t, folder);
  const headers = { 'x-api-key': adminKey, 'content-type': 'application/json' };
  for (;;) if ((await fetch(`${url}/readyz`)).status === 200) break;
  const search = () =>
    fetch(`${url}/v1/search`, { method: 'POST', headers, body: JSON.stringify({ query: 'mail' }) });
  const record = () =>
    fetch(`${url}/v1/invocations`, {
      method: 'POST',
      headers: { ...headers, prefer: 'respond-async' },
      body: JSON.stringify({ server_id: 'bare', tool_name: 'x', success: true }),
    });
  const replies = await Promise.all([
    ...Array.from({ length: 20 }, record),
    ...Array.from({ length: 20 }, search),
  ]);
  assert.ok(replies.every(({ status }) => status === 200 || status === 202));
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(join(folder, 'mcprank.db'));
  t.after(() => db.close());
  assert.deepEqual(
    [
      { ...db.prepare('select count(*) n from invocations').get() },
      { ...db.prepare('select count(*) n from query_log').get() },
    ],
    [{ n: 20 }, { n: 20 }],
  );
});

test('doctor shows the settings without secrets and finds what is wrong', async (t) => {
  const folder = temporaryFolder(t);
  await done(folder, ['catalog', 'import', catalogueFile(folder)]);
  const fine = await done(folder, ['doctor']);
  assert.equal(fine.code, 0, fine.out + fine.err);
  assert.match(fine.out, /MCPRANK_ADMIN_KEY +\[secret\]/);
  assert.match(fine.out, /OK +search: index of 4 servers built/);
  assert.ok(!fine.out.includes(adminKey));
  writeFileSync(join(folder, 'mcprank.db'), 'no database'.repeat(1000));
  const broken = await done(folder, ['doctor']);
  assert.equal(broken.code, 3);
  assert.match(broken.out, /ERROR +store and model: .*not a SQLite database/);
});

const asCode = `
servers:
  - id: files
    name: Files
    remote_url: https://files.example.com/mcp
    headers: {authorization: "Bearer \${FILES_TOKEN}"}
toolsets:
  readers: {rules: [{effect: allow, tool: read_*}], bindings: {developers: [acme]}}
keys:
  - {developer: acme, name: ci, tier: free, digest: ${hash('sha256', `sk_mcp_rank_${'c3'.repeat(16)}`)}}
`;

test('apply shows what it would change, changes it in a running server, and takes what export writes', async (t) => {
  const folder = temporaryFolder(t);
  const { url } = await serving(t, folder);
  const file = join(folder, 'rights.yaml');
  writeFileSync(file, asCode);
  const env = { FILES_TOKEN: 'a secret' };
  const plan = await done(folder, ['apply', file, '--plan'], env);
  assert.deepEqual([plan.code, plan.err], [0, '']);
  assert.match(plan.out, /^\+ server files\n {4}name: "Files"\n/);
  assert.match(plan.out, /\n3 to add, 0 to change, 0 to remove\n$/);
  const asked = async (headers: Record<string, string>) =>
    (await fetch(`${url}/v1/servers/files`, { headers })).status;
  assert.equal(await asked({ 'x-api-key': adminKey }), 404);
  const applied = await done(folder, ['apply', file], env);
  assert.match(applied.out, /\n3 added, 0 changed, 0 removed\n$/);
  await until('the server has heard of it', async () => (await asked({ 'x-api-key': adminKey })) === 200);
  const ci = { 'x-api-key': `sk_mcp_rank_${'c3'.repeat(16)}` };
  await until('it is private to the operator', async () => (await asked(ci)) === 404);

  const missing = await done(folder, ['apply', file]);
  assert.equal(missing.code, 2);
  assert.match(
    missing.err,
    /line 6: servers\[0\]\.headers\.authorization: the environment has no FILES_TOKEN/,
  );
  for (const options of [[], ['--json']]) {
    const exported = await done(folder, ['export', ...options]);
    assert.ok(!exported.out.includes(env.FILES_TOKEN));
    const again = await done(folder, ['apply', '-', '--plan'], {}, exported.out);
    assert.equal(again.out, 'Everything is as the file says: nothing to change\n', again.err);
  }
});

test('MCPRANK_CONFIG: a fault is told before the start, a change while serving is taken over', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'rights.yaml');
  writeFileSync(file, 'servers: [{id: a, nam: A}]');
  const refused = await done(folder, ['serve'], { MCPRANK_CONFIG: file });
  assert.equal(refused.code, 3);
  assert.match(refused.err, /servers\[0\]\.nam: unknown field/);
  writeFileSync(file, 'servers: [{id: a, name: A, transport: stdio}]');
  const { url } = await serving(t, folder, { MCPRANK_CONFIG: file });
  const status = async (id: string) =>
    (await fetch(`${url}/v1/servers/${id}`, { headers: { 'x-api-key': adminKey } })).status;
  assert.equal(await status('a'), 200);
  writeFileSync(file, 'servers: [{id: b, name: B, transport: stdio}]');
  await until('the change is taken over', async () => (await status('b')) === 200);
  assert.equal(await status('a'), 410);
});

test('backup copies a store that is in use', async (t) => {
  const folder = temporaryFolder(t);
  await serving(t, folder);
  const target = join(folder, 'copy.db');
  const result = await done(folder, ['backup', target, '--json']);
  assert.equal(result.code, 0, result.err);
  assert.ok(existsSync(target));
});
