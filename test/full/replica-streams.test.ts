import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey, bootApp } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startChangingServer } from '../support/mcp-changing-server.ts';
import { engines } from '../support/stores.ts';

const fields = {
  'x-api-key': adminKey,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const params = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

/** One client of 2025: its requests go to whichever replica they are given. */
async function connect(url: string) {
  const say = async (at: string, message: object, session: Record<string, string> = {}) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message });
    return fetch(`${at}/mcp`, { method: 'POST', headers: { ...fields, ...session }, body });
  };
  const opened = await say(url, { method: 'initialize', params });
  await opened.text();
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  return {
    say: (at: string, message: object) => say(at, message, session),
    async listen(at: string) {
      const stream = await fetch(`${at}/mcp`, { headers: { ...fields, ...session } });
      assert.equal(stream.status, 200);
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
      return async (wanted: string) => {
        for (let text = ''; !text.includes(wanted); ) text += (await reader?.read())?.value ?? '';
      };
    },
  };
}

for (const engine of engines)
  test(`${engine.name}: a session’s requests are answered by any replica; what servers tell is heard where its stream and its subscriptions are`, {
    skip: engine.skip,
  }, async (t) => {
    const server = await startChangingServer(t);
    const env = {
      ...(await engine.environment(t)),
      MCPRANK_VAULT_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    };
    const one = await bootMcp(t, {}, env);
    const local = { MCPRANK_STARTER: 'off', MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' };
    const other = await bootApp(t, { ...env, ...local, MCPRANK_PUBLIC_URL: one.url });
    await one.add('s', server.url, { tools: [{ name: 'x' }] });
    await other.services.search.settled();
    const uri = 'mcprank://s/note://one';
    const clients = await Promise.all([connect(one.url), connect(one.url)]);
    const told = await Promise.all(
      clients.map(async (client, i) => {
        const at = [one.url, other.url][i] ?? '';
        const until = await client.listen(at);
        const subscribed = await client.say(at, { method: 'resources/subscribe', params: { uri } });
        assert.match(await subscribed.text(), /"result"/);
        return until;
      }),
    );
    while (server.open().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    server.update('note://one');
    await Promise.all(told.map((until) => until('notifications/resources/updated')));
    server.addPrompt('later');
    await Promise.all(told.map((until) => until('notifications/prompts/list_changed')));
    for (const client of clients)
      for (const at of [one.url, other.url]) {
        const listed = await client.say(at, { method: 'prompts/list' });
        assert.match(await listed.text(), /s__later/);
      }
  });
