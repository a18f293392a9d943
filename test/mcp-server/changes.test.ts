import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { type ChangingServer, startChangingServer } from '../support/mcp-changing-server.ts';

type Era = 'legacy' | 'modern';

async function connect(t: TestContext, url: string, era: Era): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
  );
  const requestInit = { headers: { 'x-api-key': adminKey } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  t.after(() => client.close());
  return client;
}

/** A server of 2026-07-28 in a toolset and alone, and a client at one of its doors. */
async function boot(t: TestContext, door: string, era: Era) {
  const server = await startChangingServer(t);
  const app = await bootMcp(t);
  await app.add('s', server.url, { tools: [{ name: 'x' }] });
  await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
  const client = await connect(t, `${app.url}${door}`, era);
  return { app, server, client };
}

/** Resolves with the next update that is told. */
function nextUpdate(client: Client): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => resolve(params.uri));
  return promise;
}

const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const uris = (server: ChangingServer) =>
  server.open().flatMap(({ resourceSubscriptions = [] }) => resourceSubscriptions);

/** The others are variations. */
const ofEverybody = new Set(['legacy /mcp', 'modern /mcp/servers/s']);

for (const era of ['legacy', 'modern'] as const)
  for (const door of ['/mcp', '/mcp/t/all', '/mcp/servers/s'])
    test(`${era}, ${door}: what a server of 2026-07-28 tells beside calls reaches its clients`, {
      skip: ofEverybody.has(`${era} ${door}`) ? false : fullRunOnly,
    }, async (t) => {
      const { server, client } = await boot(t, door, era);
      const uri = door.endsWith('/s') ? 'note://one' : 'mcprank://s/note://one';
      await client.listPrompts();
      if (era === 'legacy') await client.subscribeResource({ uri });
      else await client.listen({ resourceSubscriptions: [uri], promptsListChanged: true });
      await until(() => uris(server).includes('note://one'));
      const updated = nextUpdate(client);
      server.update('note://one');
      assert.equal(await updated, uri);
      const { promise: changed, resolve } = Promise.withResolvers<void>();
      client.setNotificationHandler('notifications/prompts/list_changed', () => resolve());
      server.addPrompt('later');
      await changed;
      const names = (await client.listPrompts()).prompts.map(({ name }) => name);
      assert.ok(names.some((name) => name.endsWith('later')));
      if (era === 'modern') return;
      await client.unsubscribeResource({ uri });
      await until(() => uris(server).length === 0);
    });

test('what two streams of one key subscribed to is told until the last of them ends', async (t) => {
  const { app, server, client } = await boot(t, '/mcp/servers/s', 'modern');
  const other = await connect(t, `${app.url}/mcp/servers/s`, 'modern');
  // Holds the stream to the server open, and wants no resource.
  const idle = await connect(t, `${app.url}/mcp/servers/s`, 'modern');
  await idle.listen({ promptsListChanged: true });
  for (const each of [client, other]) await each.listen({ resourceSubscriptions: ['note://one'] });
  await until(() => uris(server).includes('note://one'));
  const legacy = await connect(t, `${app.url}/mcp/servers/s`, 'legacy');
  await legacy.subscribeResource({ uri: 'note://one' });
  await client.close();
  await legacy.unsubscribeResource({ uri: 'note://one' });
  // What the server is asked for next says all that is wanted by now.
  await legacy.subscribeResource({ uri: 'note://two' });
  assert.deepEqual(server.open().at(-1)?.resourceSubscriptions, ['note://one', 'note://two']);
  await legacy.unsubscribeResource({ uri: 'note://two' });
  const updated = nextUpdate(other);
  server.update('note://one');
  assert.equal(await updated, 'note://one');
  await other.close();
  await until(() => server.open().length > 0 && uris(server).length === 0);
});

test('streams to a server end with the last client that listens, and begin again when one breaks off', {
  skip: fullRunOnly,
}, async (t) => {
  const { server, client } = await boot(t, '/mcp/servers/s', 'modern');
  await client.listen({ resourceSubscriptions: ['note://one'] });
  await until(() => uris(server).includes('note://one'));
  assert.equal(server.open().length, 1, 'one stream for all that is wanted');
  server.cut();
  await until(() => server.open().length === 0);
  await until(() => uris(server).includes('note://one'));
  const updated = nextUpdate(client);
  server.update('note://one');
  await updated;
  await client.close();
  await until(() =>
    server.open().every(({ resourceSubscriptions = [] }) => resourceSubscriptions.length > 0),
  );
});

test('a server that has no such streams is asked once, and says so of a subscription', async (t) => {
  const server = await startChangingServer(t, { maxSubscriptions: 0 });
  const app = await bootMcp(t);
  await app.add('s', server.url, { tools: [{ name: 'x' }] });
  const client = await connect(t, `${app.url}/mcp/servers/s`, 'legacy');
  await assert.rejects(client.subscribeResource({ uri: 'note://one' }), /Method not found/);
  await client.listPrompts();
});
