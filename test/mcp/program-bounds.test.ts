import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { programTest as test } from '../support/full-run.ts';
import { type McpTestApp, textOf } from '../support/mcp-app.ts';
import { bootPrograms, odd, until } from '../support/programs.ts';

/** A call whose caller may hang up. */
function start(
  app: McpTestApp,
  id: string,
  name: string,
  args: object = {},
  headers: Record<string, string> = {},
) {
  const caller = new AbortController();
  const reply = fetch(`${app.url}/v1/mcp/tools/call`, {
    method: 'POST',
    signal: caller.signal,
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ server_id: id, name, arguments: args }),
  }).then(
    async (found) => `${found.status} ${await found.text()}`,
    () => 'left',
  );
  return { reply, leave: () => caller.abort() };
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a program that stops reading is ended, its callers hear why, and the next call has a new one', async (t) => {
  const app = await bootPrograms(t, { it: odd('session') });
  const first = textOf(await app.tool('it', 'pid'));
  assert.equal(textOf(await app.tool('it', 'deafen')), 'deaf');
  await delay(200);
  const waiting = start(app, 'it', 'pid');
  const data = 'x'.repeat(900_000);
  for (let i = 0; i < 30; i++) {
    const call = start(app, 'it', 'x', { data });
    await delay(10);
    call.leave();
    await call.reply;
  }
  const refused = await app.tool('it', 'x', { data });
  assert.equal(refused.status, 502);
  assert.match(String(refused.body.detail), /does not read what it is sent/);
  assert.match(await waiting.reply, /502.*stopped reading what it was sent/);
  assert.notEqual(textOf(await app.tool('it', 'pid')), first);
});

test('places of programs: one developer’s users cannot take them all, and a place is free when its caller hangs up', async (t) => {
  const app = await bootPrograms(t, { it: odd('session') }, { mcpPool: { programs: 4, programsEach: 2 } });
  await until('it is listed', () => app.lines.some((line) => line.includes('mcp.local_server.ready')));
  const asUser = async (user_id: string) => {
    const issued = await app.call('POST', '/v1/identity/token', { body: { user_id } });
    return { authorization: `Bearer ${issued.body.access_token}` };
  };
  const [ann, bob, cy] = [await asUser('ann'), await asUser('bob'), await asUser('cy')];
  const long = { ms: 100_000 };
  const held = [start(app, 'it', 'steps', long, ann), start(app, 'it', 'steps', long, bob)];
  await delay(600);
  const full = await app.tool('it', 'pid', {}, { headers: cy });
  assert.deepEqual([full.status, full.body.code], [503, 'unavailable'], full.text);
  const others = [await app.newKey(), await app.newKey()];
  for (const key of others) assert.equal((await app.tool('it', 'pid', {}, { key })).status, 200);
  held[0]?.leave();
  await until(
    'the place is free',
    async () => (await app.tool('it', 'pid', {}, { headers: cy })).status === 200,
  );
  held[1]?.leave();
});

test('an opening ends with the last of its callers, and goes on while one is left', async (t) => {
  const folder = temporaryFolder(t);
  // Its user is part of where it notes itself: the child that is listed is nobody's.
  const app = await bootPrograms(t, {
    never: odd('never,noted', join(folder, `$\{user}`)),
    slow: odd('session,slow', '900'),
  });
  const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } });
  const ann = { authorization: `Bearer ${issued.body.access_token}` };
  const noted = () => readdirSync(folder).filter((name) => name !== 'none');
  const callers = [start(app, 'never', 'x', {}, ann), start(app, 'never', 'x', {}, ann)];
  await until('it was started', () => noted().length === 1);
  const child = Number(readFileSync(join(folder, noted()[0] ?? ''), 'utf8'));
  callers[0]?.leave();
  await delay(300);
  assert.ok(isAlive(child), 'one is left');
  callers[1]?.leave();
  await until('its child is gone', () => !isAlive(child));
  const leaving = start(app, 'slow', 'x');
  const staying = start(app, 'slow', 'x', { a: 1 });
  await delay(100);
  leaving.leave();
  assert.match(await staying.reply, /^200/);
});

test('a program that keeps no user’s state may be one child for all', async (t) => {
  const app = await bootPrograms(t, { shared: { ...odd('session'), shared: true }, own: odd('session') });
  const keys = [adminKey, await app.newKey(), await app.newKey()];
  const pids = async (id: string) =>
    new Set(await Promise.all(keys.map(async (key) => textOf(await app.tool(id, 'pid', {}, { key })))));
  assert.equal((await pids('shared')).size, 1);
  assert.equal((await pids('own')).size, 3);
  const together = await Promise.all(
    keys.flatMap((key) => [1, 2, 3].map((n) => app.tool('shared', 'x', { key, n }, { key }))),
  );
  const wanted = keys.flatMap((key) => [1, 2, 3].map((n) => JSON.stringify({ key, n })));
  assert.deepEqual(together.map(textOf), wanted);
});

test('a stop tells those who wait for a program that has not answered its first message, at once', async (t) => {
  const app = await bootPrograms(t, { never: odd('never') });
  const calling = start(app, 'never', 'x');
  await delay(300);
  app.services.mcp.closeStreams();
  assert.match(await calling.reply, /502.*The program was stopped/);
});
