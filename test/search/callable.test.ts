/** Callable first: every hit says how the caller stands with it, and what nobody can call from here stands last. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bootApp, temporaryFolder } from '../support/app.ts';
import { searchedServer, startSearchRoom } from '../support/search-room.ts';

type Hit = { id: string; connection: string; connect?: string; also_available_from?: string[] };
const inputSchema = '{"type":"object","properties":{"path":{"type":"string"}}}';
const tools = ['read_file', 'write_file', 'list_files', 'move_file'].map((name) => {
  return { name, description: `Does ${name}.`, inputSchema };
});
const program = { transport: 'stdio', remoteUrl: null, tools } as const;

test('a program that no configuration starts is last, and the operator’s own stands for its mirrors', async () => {
  const room = await startSearchRoom(
    [
      searchedServer('catalogue/files', 'Reads and writes files.', { ...program, popularity: 1 }),
      searchedServer('mine', '', program),
      searchedServer('notes', 'Notes about files, here and there.'),
    ],
    { isConfigured: (id) => id === 'mine' },
  );
  after(room.close);
  const { ids, page } = await room.ask('read and write files');
  assert.deepEqual(ids, ['mine', 'notes'], 'the mirror has no place of its own');
  assert.deepEqual(page.hits[0]?.alsoAvailableFrom, ['catalogue/files']);
  const rest = await room.ask('read and write files', { filters: { callable: false } });
  assert.deepEqual(rest.ids, ['catalogue/files']);
  assert.deepEqual((await room.ask('read and write files', { filters: { callable: true } })).ids, ids);
});

test('however well it fits, what cannot be called stands behind what can, on every page', async () => {
  const servers = Array.from({ length: 90 }, (_, i) =>
    i % 3 === 0
      ? searchedServer(`s${i}`, 'Ferry to the islands.', { ...program, tools: [] })
      : searchedServer(`s${i}`, `Ferry ${'line '.repeat(1 + (i % 7))}to the islands.`),
  );
  const room = await startSearchRoom(servers, { isConfigured: () => false });
  after(room.close);
  const all = (await room.ask('ferry to the islands', { limit: 90 })).ids;
  const isProgram = (id: string) => Number(id.slice(1)) % 3 === 0;
  assert.equal(all.length, 90);
  assert.deepEqual(
    all.map(isProgram),
    all.map((_, i) => i >= 60),
  );
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const { page } = await room.ask('ferry to the islands', { limit: 4, cursor });
    paged.push(...page.serverIds);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  assert.deepEqual(paged, all);
});

test('every hit says how the caller stands with it, and what to do where something is missing', async (t) => {
  const file = join(temporaryFolder(t), 'mcp.json');
  writeFileSync(file, JSON.stringify({ mcpServers: { own: { command: 'false' } } }));
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_MCP_CONFIG: file });
  const at = (id: string, more: object) => ({
    id,
    name: id,
    description: 'Tells the tides.',
    remote_url: `https://${id}.example.com/mcp`,
    tools: [{ name: `tides_${id}` }],
    ...more,
  });
  const added = await app.call('POST', '/v1/admin/servers', {
    body: [
      at('open', {}),
      at('consent', { auth_type: 'oauth2' }),
      at('keyed', { auth_type: 'api_key' }),
      at('ours', { auth_type: 'api_key', headers: { 'x-key': 'k' } }),
      at('program', { transport: 'stdio', remote_url: null }),
    ],
  });
  assert.equal(added.status, 200, added.text);
  await app.services.search.settled();
  const ask = async (key?: string) => {
    const reply = await app.call('POST', '/v1/search', {
      body: { query: 'tides', limit: 50 },
      ...(key && { key }),
    });
    const hits = (reply.body as { servers: Hit[] }).servers;
    return new Map(hits.map((hit) => [hit.id, hit]));
  };
  const hits = await ask();
  const states = ['open', 'consent', 'keyed', 'ours', 'program'].map((id) => hits.get(id)?.connection);
  assert.deepEqual(states, ['open', 'needs_auth', 'needs_key', 'ready', 'unavailable']);
  assert.match(hits.get('consent')?.connect ?? '', /identity\/sessions.*"consent"/);
  assert.match(hits.get('keyed')?.connect ?? '', /headers/);
  assert.match(hits.get('program')?.connect ?? '', /--mcp-config/);
  assert.equal(hits.get('open')?.connect, undefined);
  assert.equal([...hits.keys()].at(-1), 'program');

  // The operator's credential does not go with everybody's calls.
  await app.call('PUT', '/v1/admin/servers/ours/rights', { body: { visibility: 'public' } });
  const stranger = await app.newKey();
  assert.equal((await ask(stranger)).get('ours')?.connection, 'needs_key');
});

test('a newcomer’s first searches each begin with a server that can be called or connected', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'on' });
  await app.services.search.settled();
  for (const query of [
    'send an email',
    'search the web',
    'query a database',
    'read files',
    'create a GitHub issue',
    'what is the weather',
    'book a flight',
    'manage my calendar',
    'take a screenshot of a page',
    'remember a fact',
  ]) {
    const { body } = await app.call('POST', '/v1/search', { body: { query } });
    const [first] = (body as { servers: Hit[] }).servers;
    assert.ok(['open', 'ready', 'needs_auth', 'needs_key'].includes(first?.connection ?? ''), query);
    assert.equal(first?.connect === undefined, first?.connection === 'open' || first?.connection === 'ready');
  }
});
