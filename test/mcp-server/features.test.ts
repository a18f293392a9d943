import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey, type TestApp } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startFeatureServer } from '../support/mcp-feature-server.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

const eras = ['legacy', 'modern'] as const;
type Era = (typeof eras)[number];

async function connect(t: TestContext, url: string, era: Era, key: string | null = adminKey) {
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
  );
  const requestInit = { headers: key === null ? {} : { 'x-api-key': key } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  t.after(() => client.close());
  return client;
}

const noTools = { tools: [{ name: 'draw', description: 'Draws' }] };

/** Two servers that offer the very same, in a toolset, and at /mcp. */
async function bootTwins(t: TestContext, env: Record<string, string> = {}) {
  const app = await bootMcp(t, {}, env);
  const twins = [await startFeatureServer(t), await startFeatureServer(t)] as const;
  await app.add('left', twins[0].url, {
    tools: [{ name: 'draw', description: 'Draws', _meta: { ui: { resourceUri: 'ui://board/main.html' } } }],
  });
  await app.add('io.example/right', twins[1].url, noTools);
  await putToolset(app, 'both', { rules: [], default: 'allow' });
  return { app, twins };
}

async function putToolset(app: TestApp, name: string, body: object) {
  const put = await app.call('PUT', `/v1/admin/toolsets/${name}`, { body });
  assert.ok(put.status < 300, put.text);
}

/** What a client sees of everything beside tools. */
async function look(client: Client) {
  const { prompts } = await client.listPrompts();
  const { resources } = await client.listResources();
  const { resourceTemplates } = await client.listResourceTemplates();
  return { prompts, resources, resourceTemplates };
}

for (const era of eras)
  for (const path of ['/mcp', '/mcp/t/both'])
    test(`${era}, ${path}: prompts, resources, templates and completions of all servers, equal to theirs but for the names`, async (t) => {
      const { app, twins } = await bootTwins(t);
      const direct = await connect(t, twins[0].url, 'legacy', null);
      const client = await connect(t, `${app.url}${path}`, era);
      const theirs = await look(direct);
      const ours = await look(client);
      const ofLeft = ours.resources.filter(({ uri }) => /^(mcprank|ui):\/\/left\//.test(uri));
      const own = (uri: string) => uri.replace('mcprank://left/', '').replace('ui://left/', 'ui://');
      assert.deepEqual(
        ofLeft.map((resource) => ({ ...resource, uri: own(resource.uri) })),
        theirs.resources,
      );
      assert.equal(ours.resources.length, 2 * theirs.resources.length);
      assert.deepEqual(
        ours.prompts
          .filter(({ name }) => name.startsWith('left__'))
          .map(({ title, arguments: args }) => [title, args]),
        theirs.prompts.map(({ title, arguments: args }) => [title, args]),
      );
      assert.ok(ours.prompts.some(({ name }) => name === 'left__greet'));
      assert.deepEqual(
        ours.resourceTemplates.map(({ uriTemplate }) => uriTemplate),
        ['mcprank://io.example%2Fright/note://by/{who}', 'mcprank://left/note://by/{who}'],
      );

      for (const { uri } of ofLeft) {
        const [read, expected] = [
          await client.readResource({ uri }),
          await direct.readResource({ uri: own(uri) }),
        ];
        assert.deepEqual(
          read.contents.map((content) => ({ ...content, uri: own(content.uri) })),
          expected.contents,
        );
        assert.equal(read.contents[0]?.uri, uri);
      }
      const by = await client.readResource({ uri: 'mcprank://left/note://by/Ada' });
      assert.equal((by.contents[0] as { text: string }).text, 'by Ada');
      await assert.rejects(client.readResource({ uri: 'note://one' }), /Unknown resource/, 'two have it');

      const greet = await client.getPrompt({ name: 'left__greet', arguments: { who: 'Ada' } });
      assert.match(JSON.stringify(greet.messages), /Greet Ada.*mcprank:\/\/left\/note:\/\/one/);
      const spaced = ours.prompts.find(({ name }) => /^right__with_space_[0-9a-f]{8}$/.test(name));
      assert.match(JSON.stringify(await client.getPrompt({ name: spaced?.name ?? '' })), /spaced/);
      await assert.rejects(client.getPrompt({ name: 'nobody__greet' }), /Unknown prompt/);

      const prompt = { type: 'ref/prompt' as const, name: 'left__greet' };
      const completed = await client.complete({ ref: prompt, argument: { name: 'who', value: 'A' } });
      assert.deepEqual(completed.completion.values, ['Ada', 'Alan']);
      const ref = { type: 'ref/resource' as const, uri: 'mcprank://left/note://by/{who}' };
      const named = await client.complete({ ref, argument: { name: 'who', value: 'G' } });
      assert.deepEqual(named.completion.values, ['Grace']);
    });

for (const era of eras)
  test(`${era}: what a tool names can be read where the tool was found: its page and the links it answers`, async (t) => {
    const { app } = await bootTwins(t);
    const client = await connect(t, `${app.url}/mcp/t/both`, era);
    const tool = (await client.listTools()).tools.find(({ name }) => name === 'left__draw');
    assert.deepEqual(tool?._meta?.ui, { resourceUri: 'ui://left/board/main.html' });
    const page = await client.readResource({ uri: 'ui://left/board/main.html' });
    assert.equal((page.contents[0] as { text: string }).text, '<p>board</p>');
    const drawn = await client.callTool({ name: 'left__draw' });
    const [, link, embedded] = drawn.content as unknown as { uri: string; resource: { uri: string } }[];
    assert.equal(link?.uri, 'mcprank://left/note://one');
    assert.equal(embedded?.resource.uri, 'mcprank://left/note://two');
    assert.equal((await client.readResource({ uri: link.uri })).contents[0]?.uri, link.uri);
  });

for (const era of eras)
  test(`${era}: of a server that the toolset denies by now nothing more is told on a stream that is open`, async (t) => {
    const { app, twins } = await bootTwins(t);
    const client = await connect(t, `${app.url}/mcp/t/both`, era);
    const told: string[] = [];
    const updated = Promise.withResolvers<void>();
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      told.push(params.uri);
      if (told.length === 2) updated.resolve();
    });
    const uris = ['mcprank://left/note://one', 'mcprank://io.example%2Fright/note://one'];
    if (era === 'legacy') for (const uri of uris) await client.subscribeResource({ uri });
    else await client.listen({ resourceSubscriptions: uris });
    await putToolset(app, 'both', { rules: [{ effect: 'deny', server: 'left' }], default: 'allow' });
    await twins[0].update('note://one');
    await twins[1].update('note://one');
    await twins[1].update('note://one');
    await updated.promise;
    assert.deepEqual(told, [uris[1], uris[1]]);
  });

for (const era of eras)
  test(`${era}: updates of what was subscribed to, and lists that changed, are told in our names`, async (t) => {
    const { app, twins } = await bootTwins(t);
    const client = await connect(t, `${app.url}/mcp/t/both`, era);
    const told: string[] = [];
    const changed = Promise.withResolvers<void>();
    const updated = Promise.withResolvers<void>();
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      told.push(params.uri);
      updated.resolve();
    });
    client.setNotificationHandler('notifications/prompts/list_changed', () => changed.resolve());
    const uri = 'mcprank://left/note://one';
    if (era === 'legacy') await client.subscribeResource({ uri });
    else await client.listen({ resourceSubscriptions: [uri], promptsListChanged: true });
    assert.deepEqual(twins[0].subscribed, ['+note://one']);
    await twins[0].update('note://one');
    await updated.promise;
    assert.deepEqual(told, [uri]);
    assert.equal((await client.listPrompts()).prompts.length, 4);
    twins[0].addPrompt('another');
    await changed.promise;
    assert.equal((await client.listPrompts()).prompts.length, 5, 'nothing of the old list is kept');
    if (era === 'modern') return;
    await client.unsubscribeResource({ uri });
    assert.deepEqual(twins[0].subscribed, ['+note://one', '-note://one']);
  });

test('clients of one key subscribe for themselves: one that unsubscribes ends nobody else’s, the last session that ends does', async (t) => {
  const { app, twins } = await bootTwins(t);
  const uri = 'mcprank://left/note://one';
  const listening = await Promise.all(
    [1, 2].map(async () => {
      const client = await connect(t, `${app.url}/mcp/t/both`, 'legacy');
      const told: string[] = [];
      const hears = { update: Promise.withResolvers<void>(), list: Promise.withResolvers<void>() };
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
        told.push(params.uri);
        hears.update.resolve();
      });
      client.setNotificationHandler('notifications/prompts/list_changed', () => hears.list.resolve());
      await client.subscribeResource({ uri });
      return { client, told, hears };
    }),
  );
  const [one, two] = listening as [(typeof listening)[0], (typeof listening)[0]];
  await one.client.unsubscribeResource({ uri });
  assert.ok(!twins[0].subscribed.includes('-note://one'), 'the other one wants it');
  await twins[0].update('note://one');
  await two.hears.update.promise;
  twins[0].addPrompt('after');
  await one.hears.list.promise;
  assert.deepEqual([one.told, two.told], [[], [uri]]);
  await (two.client.transport as StreamableHTTPClientTransport).terminateSession();
  while (!twins[0].subscribed.includes('-note://one')) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('what a toolset does not allow, and what is somebody else’s own, is neither listed nor read, completed or heard', async (t) => {
  const { app } = await bootTwins(t);
  const secret = await startFeatureServer(t);
  await app.add('secret', secret.url, { ...noTools, visibility: 'private' });
  await putToolset(app, 'left-only', { rules: [{ effect: 'allow', server: 'left' }] });
  await putToolset(app, 'tools-only', { rules: [{ effect: 'allow', server: 'left', tool: 'draw' }] });
  const key = await app.newKey({ developer: 'acme', scopes: ['mcp', 'search'] });
  for (const era of eras)
    for (const [path, servers] of [
      ['/mcp', ['io.example%2Fright', 'left']],
      ['/mcp/t/both', ['io.example%2Fright', 'left']],
      ['/mcp/t/left-only', ['left']],
      ['/mcp/t/tools-only', []],
    ] as const) {
      const client = await connect(t, `${app.url}${path}`, era, key);
      const { prompts, resources, resourceTemplates } = await look(client);
      const named = resources.map(({ uri }) => /^\w+:\/\/([^/]+)/.exec(uri)?.[1]);
      assert.deepEqual([...new Set(named)], servers, path);
      assert.deepEqual([prompts.length, resourceTemplates.length], [2 * servers.length, servers.length]);
      await assert.rejects(client.readResource({ uri: 'mcprank://secret/note://one' }), /Unknown resource/);
      await assert.rejects(
        client.getPrompt({ name: 'secret__greet', arguments: { who: 'x' } }),
        /Unknown prompt|greet not found|not allow left/,
      );
      if (path !== '/mcp/t/tools-only') continue;
      await assert.rejects(client.readResource({ uri: 'mcprank://left/note://one' }), /not allow left/);
      const ref = { type: 'ref/prompt' as const, name: 'left__greet' };
      await assert.rejects(client.complete({ ref, argument: { name: 'who', value: '' } }), /not allow left/);
    }
  assert.deepEqual(secret.subscribed, []);
});

test('so many resources are subscribed to by one request, each counted as one, and no more', async (t) => {
  const { app, twins } = await bootTwins(t, { MCPRANK_TIERS: 'free=30,enterprise=100000' });
  const key = await app.newKey({ developer: 'acme', scopes: ['mcp'], tier: 'free' });
  const client = await connect(t, `${app.url}/mcp/t/both`, 'modern', key);
  const uris = Array.from({ length: 101 }, (_, i) => `mcprank://left/note://${i}`);
  await assert.rejects(
    client.listen({ resourceSubscriptions: uris }),
    /resourceSubscriptions: .* at most 100/,
  );
  assert.deepEqual(twins[0].subscribed, []);
  // A key of so many requests a minute has not a hundred of them.
  await assert.rejects(client.listen({ resourceSubscriptions: uris.slice(1) }), /rate limit/i);
  assert.deepEqual(twins[0].subscribed, []);
});

test('a server that is down is said to be left out, and the list is there; what is no cursor is refused', async (t) => {
  const { app } = await bootTwins(t);
  await app.add('dead', 'http://127.0.0.1:9/mcp', noTools);
  for (const era of eras) {
    const client = await connect(t, `${app.url}/mcp`, era);
    const { resources, _meta } = await client.listResources();
    assert.equal(resources.length, 6);
    assert.match(
      JSON.stringify(_meta?.['dev.mcprank/left_out']),
      /^\[\{"server_id":"dead","reason":"refused"/,
    );
    await assert.rejects(client.listPrompts({ cursor: 'nowhere' }), /cursor: not one/);
  }
});

test('a list too long for one page goes on where the page ended, over all servers, with nothing twice', async (t) => {
  const app = await bootMcp(t);
  const prompts = Array.from({ length: 400 }, (_, i) => ({ name: `prompt_${i}` }));
  const { url } = await startRaw(t, ({ body }, reply) =>
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, prompts },
    }),
  );
  for (const id of ['a', 'b']) await app.add(id, url, noTools);
  const page = async (cursor?: string) => {
    const params = cursor === undefined ? {} : { cursor };
    const body = { jsonrpc: '2.0', id: 1, method: 'prompts/list', params };
    const reply = await app.call('POST', '/mcp', { body });
    return reply.body.result as { prompts: { name: string }[]; nextCursor?: string };
  };
  const first = await page();
  const second = await page(first.nextCursor);
  assert.deepEqual([first.prompts.length, second.prompts.length, second.nextCursor], [500, 300, undefined]);
  assert.deepEqual(
    [...first.prompts, ...second.prompts].map(({ name }) => name),
    ['a', 'b'].flatMap((id) => prompts.map(({ name }) => `${id}__${name}`)),
  );
});

test('a tool that the catalogue does not know yet is called by its name; one that is not allowed is unknown', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startFeatureServer(t);
  await app.add('left', url, { tools: [{ name: 'older', description: 'x' }] });
  await putToolset(app, 'all', { rules: [], default: 'allow' });
  await putToolset(app, 'older-only', { rules: [{ effect: 'allow', server: 'left', tool: 'older' }] });
  for (const era of eras) {
    const all = await connect(t, `${app.url}/mcp/t/all`, era);
    assert.match(JSON.stringify(await all.callTool({ name: 'left__draw' })), /drawn/);
    const narrow = await connect(t, `${app.url}/mcp/t/older-only`, era);
    await assert.rejects(narrow.callTool({ name: 'left__draw' }), /Unknown tool/);
    await assert.rejects(all.callTool({ name: 'nobody__draw' }), /Unknown tool/);
  }
});

test('a prompt’s name means the same whoever comes or goes: a server’s own name alone is none', async (t) => {
  const app = await bootMcp(t);
  await app.add('left', (await startFeatureServer(t)).url, noTools);
  const client = await connect(t, `${app.url}/mcp`, 'modern');
  const args = { arguments: { who: 'Ada' } };
  assert.match(JSON.stringify(await client.getPrompt({ name: 'left__greet', ...args })), /Greet Ada/);
  await assert.rejects(client.getPrompt({ name: 'greet', ...args }), /Unknown prompt: greet/);
});
