import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/app.ts';
import { freePort } from '../support/free-port.ts';
import { programTest as test } from '../support/full-run.ts';
import { type McpTestApp, textOf } from '../support/mcp-app.ts';
import { referenceServer } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';
import { bootPrograms, odd, until } from '../support/programs.ts';

const healthOf = async (app: McpTestApp, id: string) =>
  ((await app.call('GET', `/v1/servers/${id}`)).body.health ?? {}) as { state?: string; reason?: string };
const toolsOf = async (app: McpTestApp, id: string) =>
  ((await app.call('GET', `/v1/servers/${id}`)).body.tools ?? []) as object[];
const readyCount = (app: McpTestApp, event: string, id: string) =>
  app.lines.filter((line) => line.includes(event) && line.includes(`"${id}"`)).length;

test('0, 2: programs of every age and temper are listed and called: slow, silent, ended or spoilt by server/discover', async (t) => {
  const ways = {
    modern: odd('modern'),
    'modern, slow': odd('modern,slow', 600),
    'modern, terse': odd('modern,terse,slow', 600),
    session: odd('session'),
    'session, slow': odd('session,slow', 600),
    'session, silent': odd('silent-to-discover'),
    dual: odd('dual'),
    'dual, slow': odd('dual,slow', 600),
    dies: odd('dies'),
    'dies, slow': odd('dies,slow', 400),
    spoilt: odd('spoilt'),
    'spoilt, slow': odd('spoilt,slow', 400),
  };
  const app = await bootPrograms(t, ways);
  const names = Object.keys(ways);
  const listed = await Promise.all(names.map((name) => app.list(name)));
  const called = await Promise.all(names.map((name) => app.tool(name, 'age')));
  for (const [i, name] of names.entries()) {
    assert.equal(listed[i]?.status, 200, `${name}: ${listed[i]?.text}`);
    const spoken = /modern|dual/.test(name) ? 'modern' : 'session';
    assert.equal(called[i] && textOf(called[i]), spoken, name);
  }
});

test('2: what spoils a program is remembered for the program, not for one caller; and not where another thing ended it', async (t) => {
  const counter = join(temporaryFolder(t), 'starts');
  writeFileSync(counter, '');
  const counted = (way: string) => ({
    command: '/bin/sh',
    args: ['-c', `echo ${way} >> ${counter}; exec "$0" "$@"`, ...Object.values(odd(way)).flat()],
  });
  const app = await bootPrograms(t, { dies: counted('dies') });
  await until('it is listed', () => readyCount(app, 'mcp.local_server.ready', 'dies') === 1);
  const starts = async () =>
    (await import('node:fs')).readFileSync(counter, 'utf8').trim().split('\n').length;
  assert.equal(await starts(), 2);
  await app.tool('dies', 'pid');
  assert.equal(textOf(await app.tool('dies', 'age', {}, { key: await app.newKey() })), 'session');
  assert.equal(await starts(), 3, 'another caller’s child is greeted in the way that works');

  // One that cannot start yet for another reason, and knows only the newer revision.
  const gate = join(temporaryFolder(t), 'gate');
  const [command, script, way] = [process.execPath, join(root, 'test/support/odd-program.ts'), 'modern'];
  const gated = {
    command: '/bin/sh',
    args: ['-c', `test -e ${gate} || exit 1; exec ${command} ${script} ${way}`],
  };
  const later = await bootPrograms(t, { gated });
  assert.equal((await later.tool('gated', 'age')).status, 502);
  writeFileSync(gate, '');
  await until('it works now', async () => (await later.tool('gated', 'age')).status === 200);
});

test('1: what is no message on a program’s output is noise, before, in and after a call; it is counted, and calls go on', async (t) => {
  const app = await bootPrograms(t, { old: odd('session,noisy'), new: odd('modern,noisy') });
  for (const id of ['old', 'new']) {
    const pid = textOf(await app.tool(id, 'pid'));
    const together = await Promise.all([
      app.tool(id, 'noise'),
      app.tool(id, 'x', { a: 1 }),
      app.tool(id, 'noise'),
    ]);
    assert.deepEqual(together.map(textOf), ['quiet', '{"a":1}', 'quiet'], id);
    assert.equal(textOf(await app.tool(id, 'pid')), pid, 'it is the same child');
  }
  assert.ok(app.services.mcp.stats().noiseLines >= 2 * 13 * 5);
  assert.match((await app.call('GET', '/metrics')).text, /mcprank_mcp_program_noise_lines [1-9]/);
  assert.ok(app.lines.some((line) => line.includes('mcp.program.noise') && line.includes('[INFO] starting')));
});

test('9: over standard streams, too, null is absent, ids may be texts, content a bare text, lines may end as on Windows', async (t) => {
  const app = await bootPrograms(t, { old: odd('session,sloppy'), new: odd('modern,sloppy') });
  for (const id of ['old', 'new']) {
    const called = await app.tool(id, 'x');
    assert.deepEqual(
      [called.status, called.text],
      [200, JSON.stringify({ content: [{ type: 'text', text: 'sloppy' }], isError: false })],
    );
    assert.equal((await app.list(id)).status, 200);
    assert.equal((await app.tool(id, 'pid')).status, 200);
    const unknown = await app.rpc(id, 'no/such/method');
    assert.equal((unknown.body.error as { code: number }).code, -32601, unknown.text);
  }
});

test('3: a program that owns a port is one child: listed in the background, then handed to its first caller', async (t) => {
  const port = await freePort();
  const app = await bootPrograms(t, { it: odd('session,port', port), slow: odd('session,slow', 300) });
  // The first caller comes while it is being listed, and another one after.
  assert.equal((await app.tool('it', 'pid')).status, 200);
  await until('it is listed', () => readyCount(app, 'mcp.local_server.ready', 'it') === 1);
  const pid = textOf(await app.tool('it', 'pid'));
  assert.equal(textOf(await app.tool('it', 'pid')), pid);
  // A look by the operator goes through whichever child there is.
  const probed = await app.call('POST', '/v1/admin/servers/it/probe');
  assert.equal(probed.status, 200, probed.text);
  assert.equal(textOf(await app.tool('it', 'pid')), pid);
  assert.equal(readyCount(app, 'mcp.program.failed', 'it'), 0);
});

test('3: a program that was listed before its first caller came is handed on, too', async (t) => {
  const app = await bootPrograms(t, { it: odd('session,port', await freePort()) });
  await until('it is listed', () => readyCount(app, 'mcp.local_server.ready', 'it') === 1);
  assert.equal((await app.tool('it', 'pid')).status, 200);
});

test('4: a program whose first listing fails is adopted at the next success, whoever has it and by whichever door', async (t) => {
  const doors: Record<string, (app: McpTestApp, id: string) => Promise<unknown>> = {
    'tools-list': (app, id) => app.list(id),
    'tools-call': (app, id) => app.tool(id, 'pid'),
    call: (app, id) => app.rpc(id, 'tools/list'),
    single: (app, id) =>
      app.call('POST', `/mcp/servers/${id}`, {
        body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
        headers: { accept: 'application/json, text/event-stream' },
      }),
  };
  const folder = temporaryFolder(t);
  const servers = Object.fromEntries(
    Object.keys(doors).map((name) => {
      writeFileSync(join(folder, name), '');
      return [name, odd('session,flaky', join(folder, name))];
    }),
  );
  const app = await bootPrograms(t, servers);
  for (const [id, use] of Object.entries(doors)) {
    await until('its first listing failed', () => readyCount(app, 'mcp.local_server.not_listed', id) === 1);
    assert.deepEqual(await toolsOf(app, id), []);
    await use(app, id);
    await until(`${id}: its tools are there`, async () => (await toolsOf(app, id)).length === 1);
  }
});

test('5: why a program failed is in the error, the log and its health: its last words, the wrong command, the missing folder', async (t) => {
  const app = await bootPrograms(t, {
    keyless: odd('keyless'),
    nowhere: { command: 'no-such-program' },
    homeless: { ...odd('session'), cwd: '/no/such/folder' },
    unexecutable: { command: '/etc/passwd' },
    refusing: odd('refuses', 'the licence is over'),
    fine: odd('session'),
  });
  const why: Record<string, RegExp> = {
    keyless: /exit status 1.*API_KEY missing/,
    nowhere: /no-such-program was not found/,
    homeless: /\/no\/such\/folder does not exist/,
    unexecutable: /\/etc\/passwd failed \(EACCES\)/,
    refusing: /the licence is over/,
  };
  for (const [id, words] of Object.entries(why)) {
    const reply = await app.tool(id, 'x');
    assert.equal(reply.status, 502);
    assert.match(String(reply.body.detail), words);
    const rpc = await app.rpc(id, 'tools/list');
    assert.match((rpc.body.error as { message: string }).message, words);
    await until(`${id}: health says why`, async () => words.test((await healthOf(app, id)).reason ?? ''));
    const logged = app.lines.filter((line) => line.includes(`"${id}"`) && words.test(line));
    assert.ok(
      logged.some((line) => line.includes('"level":"info"')),
      id,
    );
  }
  const died = await app.tool('fine', 'die');
  assert.match(String(died.body.detail), /exit status 3.*line 5 · line 6 · line 7 · line 8 · line 9/);
  assert.doesNotMatch(String(died.body.detail), /line 4/);
});

test('6: a program’s values may name its caller: two developers, and two users, have files of their own', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, `$\{developer}-$\{user}.json`);
  const memory = {
    command: process.execPath,
    args: [referenceServer('memory')],
    env: { MEMORY_FILE_PATH: file },
  };
  const app = await bootPrograms(t, {
    memory,
    env: { ...odd('session', `$\{developer}`), env: { USER_NAME: `$\{user}` } },
  });
  await until('it is listed', async () => (await toolsOf(app, 'memory')).length > 0);
  const keys = [await app.newKey(), await app.newKey()];
  for (const [i, key] of keys.entries()) {
    const entities = [{ name: `Name ${i}`, entityType: 'person', observations: [] }];
    const made = await app.tool('memory', 'create_entities', { entities }, { key });
    assert.equal(made.body.isError, false, made.text);
  }
  for (const [i, key] of keys.entries()) {
    const graph = await app.tool('memory', 'read_graph', {}, { key });
    assert.match(graph.text, new RegExp(`Name ${i}`));
    assert.doesNotMatch(graph.text, new RegExp(`Name ${1 - i}`));
  }
  const asUser = async (user_id: string) => {
    const issued = await app.call('POST', '/v1/identity/token', { body: { user_id } });
    const headers = { authorization: `Bearer ${issued.body.access_token}` };
    return JSON.parse(textOf(await app.tool('env', 'env', {}, { headers }))) as [
      string[],
      Record<string, string>,
    ];
  };
  const [[, developer], { USER_NAME: name = '' }] = await asUser('../../ann');
  assert.match(developer ?? '', /^[\w-]+$/);
  assert.match(name, /^[0-9a-f]{32}$/, 'a user’s name may be anything, and becomes part of a path');
  assert.notEqual((await asUser('bob'))[1].USER_NAME, name);
});

test('26: a client of 2025 gets a connection of 2025 where a program speaks both, and is asked there; a pin holds for all', async (t) => {
  const app = await bootPrograms(t, {
    dual: odd('dual'),
    modern: odd('modern'),
    session: odd('session'),
    pinned: { ...odd('dual'), revision: '2025-11-25' },
    newest: { ...odd('dual'), revision: '2026-07-28' },
  });
  await until('all are listed', () =>
    ['dual', 'modern', 'session', 'pinned', 'newest'].every(
      (id) => readyCount(app, 'mcp.local_server.ready', id) === 1,
    ),
  );
  const spoken = async (id: string) => {
    const rest = textOf(await app.tool(id, 'age'));
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'age', arguments: {} } };
    const headers = { accept: 'application/json, text/event-stream' };
    const one = await app.call('POST', `/mcp/servers/${id}`, { body, headers });
    const named = { ...body, params: { name: 'call_tool', arguments: { server_id: id, name: 'age' } } };
    const all = await app.call('POST', '/mcp', { body: named, headers });
    const [alone, among] = [one, all].map((reply) =>
      textOf({ ...reply, body: reply.body.result as Record<string, unknown> }),
    );
    assert.equal(among, alone, id);
    return [rest, alone];
  };
  assert.deepEqual(await spoken('dual'), ['modern', 'session']);
  assert.deepEqual(await spoken('modern'), ['modern', 'modern']);
  assert.deepEqual(await spoken('session'), ['session', 'session']);
  assert.deepEqual(await spoken('pinned'), ['session', 'session']);
  assert.deepEqual(await spoken('newest'), ['modern', 'modern']);
  // Over REST a pinned one asks its question, too.
  const asked = await app.tool('pinned', 'ask');
  assert.equal(asked.body.status, 'input_required', asked.text);
});
