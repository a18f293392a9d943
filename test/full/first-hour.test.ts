import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { clientNames, clients } from '../../src/cli/client-entries.ts';
import { temporaryFolder } from '../support/app.ts';
import { done, serving } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { root } from '../support/paths.ts';
import { until } from '../support/programs.ts';

/** What a person meets in the first hour, beside what the documents' own commands do (docs-run.test.ts). */

test('a command in the wrong folder says so and makes nothing; one that fills a store says that it begins one', async (t) => {
  const folder = temporaryFolder(t);
  for (const args of [
    ['keys', 'create', '--developer', 'acme'],
    ['keys', 'list'],
    ['connect', 'cursor'],
    ['backup', join(folder, 'copy.db')],
    ['apply', '-', '--plan'],
  ]) {
    const { code, err } = await done(folder, args, { HOME: folder }, '{}');
    assert.deepEqual([code, err.includes(`no store at ${join(folder, 'mcprank.db')}`)], [3, true], err);
  }
  const looked = await done(folder, ['doctor']);
  assert.match(looked.out, /WARNING {2}store: none at .*: the first start makes it/);
  assert.deepEqual(readdirSync(folder), []);
  const added = await done(folder, ['servers', 'add', 'a', '--name', 'A']);
  assert.match(added.err, /a new store is made at .*mcprank\.db/);
  const made = await done(folder, ['keys', 'create', '--developer', 'acme']);
  assert.match(made.out, new RegExp(`Store: ${join(folder, 'mcprank.db')}`));
});

test('doctor knows the service of its own store from that of another, and both from a stranger', async (t) => {
  const [folder, other] = [temporaryFolder(t), temporaryFolder(t)];
  const port = String(await freePort());
  // Serving as well, so that only the keys it publishes can tell.
  await serving(t, other);
  const { child } = await serving(t, folder, { MCPRANK_PORT: port });
  const said = async (where: string) => (await done(where, ['doctor'], { MCPRANK_PORT: port })).out;
  assert.match(await said(folder), /OK +port: .* the service of this store is running/);
  assert.match(await said(other), /ERROR +port: .* an mcprank with another store than /);
  child.kill('SIGTERM');
  await once(child, 'exit');
  const stranger = createServer((_request, reply) => reply.end('hello')).listen(Number(port), '127.0.0.1');
  await once(stranger, 'listening');
  t.after(() => stranger.close());
  assert.match(await said(folder), /ERROR +port: .* a program that is no mcprank/);
});

test('the first line of the log says the public URL', async (t) => {
  const folder = temporaryFolder(t);
  const { child } = await serving(t, folder, { MCPRANK_PUBLIC_URL: 'http://rank.example.com' });
  child.kill('SIGTERM');
  let log = '';
  for await (const text of child.stderr.setEncoding('utf8')) log += text;
  const { msg, public_url } = JSON.parse(log.split('\n')[0] ?? '') as Record<string, unknown>;
  assert.deepEqual([msg, public_url], ['service.starting', 'http://rank.example.com']);
});

type Entry = {
  url?: string;
  headers?: Record<string, string>;
  args?: string[];
  env?: Record<string, string>;
};
const secret = (entry: Entry) => entry.headers?.Authorization ?? entry.env?.MCPRANK_AUTH ?? '';

test('connect writes what docs/clients.md shows, which works; once more replaces it, --undo ends it', async (t) => {
  const folder = temporaryFolder(t);
  const home = temporaryFolder(t);
  const port = String(await freePort());
  const { url } = await serving(t, folder, { MCPRANK_PORT: port });
  const env = { HOME: home, MCPRANK_PORT: port };
  const machine = { platform: process.platform, home, environment: {} };
  const documented = [
    ...readFileSync(join(root, 'docs/clients.md'), 'utf8').matchAll(/^```json\n([\s\S]*?)^```/gm),
  ].map(([, text = '']) => JSON.stringify(Object.values(JSON.parse(text) as object)[0]));
  for (const name of clientNames) {
    const { member, file } = clients[name];
    const path = file(machine);
    mkdirSync(join(path, '..'), { recursive: true });
    const others = { [member]: { other: { command: 'x' } }, theme: 'dark' };
    writeFileSync(path, JSON.stringify(others, null, '\t'));
    const read = () => JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, Entry>>;
    assert.equal((await done(folder, ['connect', name], env)).code, 0);
    const first = read()[member]?.mcprank ?? {};
    assert.equal((await done(folder, ['connect', name], env)).code, 0);
    const content = read();
    assert.deepEqual([content.theme, content[member]?.other], ['dark', { command: 'x' }]);
    const entry = content[member]?.mcprank ?? {};
    const shown = JSON.stringify({ mcprank: entry })
      .replace(/sk_mcp_rank_\w{32}/, 'sk_mcp_rank_…')
      .replace(port, '8787');
    assert.ok(documented.includes(shown), `${name}: ${shown}`);
    const status = async (authorization: string) => {
      const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const headers = {
        authorization,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      return (await fetch(`${url}/mcp`, { method: 'POST', headers, body: JSON.stringify(body) })).status;
    };
    assert.equal(await status(secret(entry)), 200, name);
    await until('the key before it is revoked', async () => (await status(secret(first))) === 401);
    assert.equal((await done(folder, ['connect', name, '--undo'], env)).code, 0);
    assert.deepEqual(read(), others);
    await until('its key is revoked', async () => (await status(secret(entry))) === 401);
    assert.equal((await done(folder, ['connect', name, '--undo'], env)).code, 4);
  }
});

test('connect begins a file that only its owner reads, and leaves one with comments as it is', async (t) => {
  const folder = temporaryFolder(t);
  const home = temporaryFolder(t);
  await done(folder, ['servers', 'add', 'a', '--name', 'A']);
  const env = { HOME: home, MCPRANK_PORT: '8787' };
  assert.equal((await done(folder, ['connect', 'cursor'], env)).code, 0);
  const file = join(home, '.cursor/mcp.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, '{ // mine\n "mcpServers": {} }');
  const refused = await done(folder, ['connect', 'cursor'], env);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /has it comments/);
  assert.equal(readFileSync(file, 'utf8'), '{ // mine\n "mcpServers": {} }');
  const { out } = await done(folder, ['keys', 'list', '--json']);
  assert.equal((JSON.parse(out) as { keys: object[] }).keys.length, 1, 'no key is made for it');
});
