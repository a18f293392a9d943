import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { Problem } from '../../src/base/problem.ts';
import {
  type Catalog,
  type CatalogChange,
  createCatalog,
  type ServerInput,
} from '../../src/catalog/catalog.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { handClock, temporaryFolder } from '../support/app.ts';
import { type Engine, engines, openTestStore, testVault } from '../support/stores.ts';

function catalogOn(storage: Storage, clock: Clock, starterFile = '/nowhere'): Catalog {
  return createCatalog({
    storage,
    vault: testVault,
    clock,
    outbound: { request: () => assert.fail('nothing here goes out') },
    config: { registryUrl: 'https://registry.example', starterFile },
    log: createTelemetry({ level: 'silent' }).log,
  });
}

async function setUp(t: TestContext, engine: Engine) {
  const clock = handClock();
  const storage = await openTestStore(t, engine, clock);
  return { clock, storage, catalog: catalogOn(storage, clock) };
}

function row(id: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id,
    name: `Server ${id}`,
    description: 'does things',
    remote_url: `https://${id}.example/mcp`,
    ...fields,
  };
}

function input(catalog: Catalog, id: string, fields: Record<string, unknown> = {}): ServerInput {
  const parsed = catalog.parse(row(id, fields));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.input;
}

async function history(catalog: Catalog, since = 0): Promise<CatalogChange[]> {
  const found: CatalogChange[] = [];
  for await (const batch of catalog.changesSince(since)) found.push(...batch);
  return found;
}

const gone = { kind: 'server_gone', message: 'Server is no longer active' };
const unknown = { kind: 'not_found', message: 'Server not found' };

for (const engine of engines) {
  test(`${engine.name}: pages of every order, joined by their cursors, are each server once and in that order`, {
    skip: engine.skip,
  }, async (t) => {
    const { catalog, clock } = await setUp(t, engine);
    const ids = ['b', 'a', 'd', 'c', 'e'];
    const popularity = [0.2, 0.9, 0.5, 0.5, 0.1];
    for (const [i, id] of ids.entries()) {
      clock.advance(1_000);
      const fields = { name: `${id === 'd' ? 'A' : 'z'} of ${id}`, popularity: popularity[i], category: 'x' };
      await catalog.put([input(catalog, id, fields)], i < 2 ? 'admin' : 'import');
    }
    const state = (found: 'up' | 'down') => async () => ({
      ...{ state: found, era: null, auth: null, latencyMs: 1, tools: null, reason: null, unreached: false },
    });
    await catalog.health.probe('c', state('down'));
    await catalog.health.probe('e', state('up'));
    await catalog.rankingSignals();
    const allOf = async (sort: NonNullable<Parameters<Catalog['list']>[0]['sort']>, filters = {}) => {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await catalog.list({
          limit: 2,
          sort,
          filters,
          ...(cursor === undefined ? {} : { cursor }),
        });
        found.push(...page.servers.map(({ id }) => id));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return found.join('');
    };
    assert.equal(await allOf('id'), 'abcde');
    assert.equal(await allOf('own'), 'abcde');
    await catalog.put([input(catalog, 'e', { category: 'x' })], 'apply');
    assert.equal(await allOf('own'), 'abecd');
    await catalog.put([input(catalog, 'e', { name: 'z of e', category: 'x' })], 'import');
    assert.equal(await allOf('name'), 'dabce');
    assert.equal(await allOf('added'), 'ecdab');
    assert.equal(await allOf('health'), 'ceabd');
    assert.equal(await allOf('popularity'), 'acdbe');
    for (const sort of ['id', 'own', 'name', 'added', 'health', 'popularity'] as const) {
      assert.equal([...(await allOf(sort, { own: true }))].sort().join(''), 'ab', sort);
      assert.equal([...(await allOf(sort, { own: false }))].sort().join(''), 'cde', sort);
      assert.equal(await allOf(sort, { category: 'none' }), '', sort);
    }
    for (const cursor of [
      'x',
      Buffer.from('["a"]').toString('base64url'),
      Buffer.from('{}').toString('base64url'),
    ])
      await assert.rejects(catalog.list({ limit: 2, sort: 'name', cursor }), { kind: 'invalid_request' });
  });

  const suite = (name: string, act: (t: TestContext) => Promise<void>) =>
    test(`${engine.name}: ${name}`, { skip: engine.skip }, act);

  suite('what was put is read back whole, also by another process', async (t) => {
    const { catalog, storage, clock } = await setUp(t, engine);
    const fields = {
      auth_type: 'oauth2',
      category: 'mail',
      tags: ['a', 'b'],
      verified: true,
      repository_url: 'https://github.com/x/y',
      tools: [
        { name: 'z_last', description: 'second by name, first by place' },
        { name: 'a_first', description: 'ünï👩‍💻', inputSchema: { type: 'object', properties: {} } },
      ],
    };
    assert.deepEqual(await catalog.put([input(catalog, 'one', fields)], 'admin'), {
      added: 1,
      updated: 0,
      unchanged: 0,
      removed: 0,
      tools: 2,
    });
    const record = await catalogOn(storage, clock).get('one');
    assert.deepEqual(record, {
      id: 'one',
      name: 'Server one',
      description: 'does things',
      version: null,
      remoteUrl: 'https://one.example/mcp',
      transport: 'streamable-http',
      authType: 'oauth2',
      authRequired: true,
      category: 'mail',
      tags: ['a', 'b'],
      verified: true,
      trusted: true,
      popularity: 0.1,
      tools: [
        { name: 'z_last', description: 'second by name, first by place', inputSchema: '{"type":"object"}' },
        { name: 'a_first', description: 'ünï👩‍💻', inputSchema: '{"type":"object","properties":{}}' },
      ],
      repositoryUrl: 'https://github.com/x/y',
      launch: null,
      source: 'admin',
      prior: 0.1,
      revision: 1,
      createdAt: clock.now(),
      updatedAt: clock.now(),
    });
    assert.equal(await catalog.get('one'), await catalog.get('one'), 'the second reading comes from memory');
    assert.deepEqual(await catalog.stats(), { servers: 1, tools: 2, removed: 0 });
  });

  suite('an unchanged server keeps its revision; a changed one gets the next; readers see each once', async (t) => {
    const { catalog } = await setUp(t, engine);
    const many = Array.from({ length: 1_203 }, (_, i) => input(catalog, `s${i}`, { tools: [{ name: 't' }] }));
    await catalog.put(many, 'import');
    const first = await history(catalog);
    assert.equal(first.length, 1_203);
    assert.ok(first.every((change, i) => change.revision === i + 1 && change.server?.tools.length === 1));
    const again = await catalog.put(
      [...many.slice(0, 600), input(catalog, 's7', { description: 'new' })],
      'import',
    );
    assert.deepEqual([again.updated, again.unchanged], [1, 599]);
    assert.equal(await catalog.revision(), 1_204);
    const news = await history(catalog, 1_203);
    assert.deepEqual(
      news.map((change) => [change.revision, change.id, change.server?.description]),
      [[1_204, 's7', 'new']],
    );
  });

  suite('changed tools are a change; unknown ones (no list) leave those that are known', async (t) => {
    const { catalog } = await setUp(t, engine);
    await catalog.put([input(catalog, 's', { tools: [{ name: 'a' }, { name: 'b' }] })], 'x');
    await catalog.put([input(catalog, 's')], 'x');
    assert.equal(await catalog.revision(), 1);
    await catalog.put([input(catalog, 's', { tools: [{ name: 'b' }, { name: 'c' }] })], 'x');
    assert.deepEqual(
      (await catalog.get('s')).tools.map((tool) => tool.name),
      ['b', 'c'],
    );
    await catalog.put([input(catalog, 's', { tools: [] })], 'x');
    assert.deepEqual((await catalog.get('s')).tools, []);
    assert.equal(await catalog.revision(), 3);
  });

  suite('a removed server is gone for ever after, also after a restart, until it is put again', async (t) => {
    const { catalog, storage, clock } = await setUp(t, engine);
    await catalog.put([input(catalog, 's'), input(catalog, 'other')], 'admin');
    await catalog.get('s');
    await catalog.remove('s');
    await assert.rejects(catalog.get('s'), gone);
    await assert.rejects(catalog.remove('s'), gone);
    await assert.rejects(catalog.remove('never'), unknown);
    const restarted = catalogOn(storage, clock);
    await assert.rejects(restarted.get('s'), gone);
    await assert.rejects(restarted.get('never'), unknown);
    assert.deepEqual(
      (await history(restarted, 2)).map((change) => [change.id, change.server]),
      [['s', null]],
    );
    assert.deepEqual(
      (await catalog.list({ limit: 10 })).servers.map((server) => server.id),
      ['other'],
    );
    assert.ok(!(await catalog.rankingSignals()).popularity.has('s'));
    await catalog.put([input(catalog, 's')], 'admin');
    assert.equal((await restarted.get('s')).id, 's');
  });

  suite('a change by another process is heard and seen', async (t) => {
    const { catalog, storage, clock } = await setUp(t, engine);
    const other = catalogOn(storage, clock);
    await assert.rejects(other.get('s'), unknown);
    const heard = new Promise<void>((resolve) => other.onChange(resolve));
    await catalog.put([input(catalog, 's')], 'admin');
    await heard;
    assert.equal((await other.get('s')).id, 's');
  });

  suite('one bad server spoils the whole put: nothing is half-written', async (t) => {
    const { catalog } = await setUp(t, engine);
    const bad = { ...input(catalog, 'bad'), name: null } as unknown as ServerInput;
    await assert.rejects(
      catalog.put([...Array.from({ length: 300 }, (_, i) => input(catalog, `s${i}`)), bad], 'x'),
    );
    assert.deepEqual(await catalog.stats(), { servers: 0, tools: 0, removed: 0 });
    assert.equal(await catalog.revision(), 0);
  });

  suite('writers at the same time lose nothing and share no revision', async (t) => {
    const { catalog, storage, clock } = await setUp(t, engine);
    const writers = [catalog, catalogOn(storage, clock), catalogOn(storage, clock)];
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        writers[i % 3]?.put([input(catalog, `s${i % 10}`, { description: `${i}` })], 'x'),
      ),
    );
    const revisions = (await history(catalog)).map((change) => change.revision);
    assert.equal(new Set(revisions).size, 10);
    assert.equal(await catalog.revision(), Math.max(...revisions));
  });

  suite('a list is read page by page, each server once, in the order of ids', async (t) => {
    const { catalog } = await setUp(t, engine);
    const ids = Array.from({ length: 25 }, (_, i) => `s${String(i).padStart(2, '0')}`);
    await catalog.put(
      ids.map((id) => input(catalog, id)),
      'x',
    );
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await catalog.list({ limit: 10, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...page.servers.map((server) => server.id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, ids);
    await assert.rejects(catalog.list({ cursor: '!!', limit: 1 }), {
      kind: 'invalid_request',
      message: /^cursor: /,
    });
  });

  suite('a file with bad rows is imported as far as it is good, and says what was not', async (t) => {
    const { catalog } = await setUp(t, engine);
    const file = join(temporaryFolder(t), 'list.jsonl');
    const rows = [
      JSON.stringify(row('a', { tools: [{ name: 't' }, { name: 't' }] })),
      '{"id":"b", "name": "cut',
      JSON.stringify(row('c', { name: '' })),
      JSON.stringify(row('d', { description: 'nul \u0000 and lone \ud800' })),
      `{"id":"huge","name":"x","description":"${'x'.repeat(5_000_000)}"}`,
      JSON.stringify(row('e', { headers: { Host: 'b' } })),
      JSON.stringify(row('f')),
    ];
    writeFileSync(file, `\ufeff${rows.join('\n')}\n`);
    const seen: number[] = [];
    const report = await catalog.importFile(file, {
      source: 'import',
      onProgress: (p) => seen.push(p.bytesRead / p.bytesTotal),
    });
    assert.deepEqual(
      [report.servers, report.added, report.skipped, report.noted, report.complete, seen.at(-1)],
      [3, 3, 4, 1, true, 1],
    );
    assert.deepEqual(
      report.problems.map((each) => [each.row, each.reason]),
      [
        [2, 'not valid JSON'],
        [3, 'name: expected 1 to 200 printable characters'],
        [5, 'larger than 4 MB'],
        [6, 'headers: "Host" is not a header field to be set here'],
      ],
    );
    assert.equal((await catalog.get('d')).description, 'nul  and lone \ufffd');
    await assert.rejects(catalog.importFile('/no/such/file', { source: 'x' }), { kind: 'invalid_request' });
  });

  suite('a folder is imported whole: lists, registry dumps and single server.json files', async (t) => {
    const { catalog } = await setUp(t, engine);
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'deep/er'), { recursive: true });
    const entry = (name: string) => ({
      server: { name, description: 'x', remotes: [{ type: 'sse', url: 'https://x.example' }] },
    });
    writeFileSync(join(folder, 'list.jsonl'), `${JSON.stringify(row('a'))}\n${JSON.stringify(row('b'))}`);
    writeFileSync(join(folder, 'array.json'), JSON.stringify([row('c')], null, 2));
    writeFileSync(
      join(folder, 'deep/dump.json'),
      JSON.stringify({ servers: [entry('x/d'), entry('x/e')], metadata: {} }),
    );
    writeFileSync(join(folder, 'deep/er/server.json'), JSON.stringify(entry('x/f').server, null, 2));
    writeFileSync(join(folder, 'readme.md'), '# no server');
    const report = await catalog.importFile(folder, { source: 'import' });
    assert.deepEqual([report.added, report.skipped], [6, 0]);
    assert.equal((await catalog.get('x/f')).transport, 'sse');
  });

  suite('replace removes what the file no longer has, of the same source only, and revives what it has again', async (t) => {
    const { catalog } = await setUp(t, engine);
    const file = join(temporaryFolder(t), 'list.jsonl');
    const importing = async (...lines: string[]) => {
      writeFileSync(file, lines.join('\n'));
      return catalog.importFile(file, { source: 'mine', replace: true });
    };
    await catalog.put([input(catalog, 'theirs')], 'admin');
    await importing(JSON.stringify(row('a')), JSON.stringify(row('b')), JSON.stringify(row('c')));
    const report = await importing(JSON.stringify(row('a')), '{"id":"b","name":""}');
    assert.deepEqual([report.unchanged, report.removed, report.skipped], [1, 1, 1]);
    await assert.rejects(catalog.get('c'), gone);
    assert.equal((await catalog.get('b')).id, 'b', 'a bad row is no reason to remove its server');
    await catalog.get('theirs');
    assert.equal(
      (await importing(JSON.stringify(row('a')), JSON.stringify(row('b')), JSON.stringify(row('c')))).added,
      1,
    );

    const cut = await importing(JSON.stringify(row('a')), '{"id":"x');
    assert.deepEqual([cut.complete, cut.removed], [false, 0]);
    const nothing = await importing('');
    assert.deepEqual([nothing.servers, nothing.removed], [0, 0]);
    await catalog.get('c');
  });

  suite('an import that is stopped half-way has removed nothing', async (t) => {
    const { catalog } = await setUp(t, engine);
    const file = join(temporaryFolder(t), 'list.jsonl');
    await catalog.put([input(catalog, 'old')], 'mine');
    writeFileSync(file, Array.from({ length: 900 }, (_, i) => JSON.stringify(row(`n${i}`))).join('\n'));
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    await assert.rejects(
      catalog.importFile(file, { source: 'mine', replace: true, onProgress, signal: stop.signal }),
    );
    await catalog.get('old');
    assert.equal((await catalog.stats()).servers, 201);
  });

  suite('the starter is loaded into an empty store only', async (t) => {
    const { storage, clock } = await setUp(t, engine);
    const file = join(temporaryFolder(t), 'starter.jsonl');
    writeFileSync(file, JSON.stringify(row('a')));
    const catalog = catalogOn(storage, clock, file);
    assert.equal((await catalog.loadStarter())?.added, 1);
    assert.equal((await catalog.get('a')).source, 'starter');
    await catalog.remove('a');
    assert.equal(await catalog.loadStarter(), null, 'what was removed does not come back by a restart');
  });

  // ---- use

  const call = {
    developerId: 'dev_1',
    keyId: 'key_1',
    serverId: 's',
    toolName: 'send',
    success: true,
  } as const;
  const durable = { durable: true } as const;

  suite('an outcome of an unknown server or tool, or of a removed server, is refused', async (t) => {
    const { catalog } = await setUp(t, engine);
    const bare = input(catalog, 'bare');
    await catalog.put(
      [input(catalog, 's', { tools: [{ name: 'send' }] }), bare, input(catalog, 'dead')],
      'x',
    );
    await catalog.remove('dead');
    await catalog.recordInvocation(call, durable);
    await catalog.recordInvocation({ ...call, serverId: 'bare', toolName: 'any' }, durable);
    await assert.rejects(catalog.recordInvocation({ ...call, serverId: 'no' }, durable), unknown);
    await assert.rejects(catalog.recordInvocation({ ...call, serverId: 'dead' }, durable), gone);
    for (const toolName of ['sen', 'end', 'Send', 'send2']) {
      await assert.rejects(catalog.recordInvocation({ ...call, toolName }, durable), {
        kind: 'not_found',
        message: 'Tool not found on this server',
      });
    }
    for (const fault of [{ toolName: 'send\nx' }, { latencyMs: -1 }, { idempotencyKey: '\u0000' }]) {
      await assert.rejects(catalog.recordInvocation({ ...call, ...fault }, durable), {
        kind: 'invalid_request',
      });
    }
  });

  suite('the same idempotency key is recorded once: in one batch, at once from two processes, and later', async (t) => {
    const { catalog, storage, clock } = await setUp(t, engine);
    await catalog.put([input(catalog, 's')], 'x');
    const other = catalogOn(storage, clock);
    const once = { ...call, latencyMs: 12.5, idempotencyKey: 'k' };
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (i % 2 === 0 ? catalog : other).recordInvocation(once, { durable: i % 5 !== 0 }),
      ),
    );
    replies.push(await catalogOn(storage, clock).recordInvocation(once, durable));
    assert.equal(new Set(replies.map((reply) => reply.invocationId)).size, 1);
    assert.equal((await rowsOf(storage)).length, 1);
    assert.deepEqual(await useOf(storage), [['s', 'dev_1', 1, 1]]);

    const elsewhere = await catalog.recordInvocation({ ...once, developerId: 'dev_2' }, durable);
    assert.notEqual(elsewhere.invocationId, replies[0]?.invocationId, 'keys belong to their developer');
    await assert.rejects(catalog.recordInvocation({ ...once, success: false }, durable), {
      kind: 'conflict',
    });
    const fresh = { ...once, idempotencyKey: 'k2' };
    const clash = await Promise.allSettled([
      catalog.recordInvocation(fresh, durable),
      catalog.recordInvocation({ ...fresh, latencyMs: 13 }, durable),
    ]);
    assert.deepEqual(
      clash.map((each) => each.status),
      ['fulfilled', 'rejected'],
    );
  });

  suite('what was acknowledged is there, in as few transactions as it came together', async (t) => {
    const { catalog, storage } = await setUp(t, engine);
    await catalog.put([input(catalog, 's')], 'x');
    await catalog.recordInvocation(call, durable);
    let commits = 0;
    const { write } = storage;
    Object.assign(storage, {
      write: (...args: Parameters<typeof write>) => {
        commits += 1;
        return write(...args);
      },
    });
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        catalog.recordInvocation({ ...call, success: i % 4 !== 0 }, durable),
      ),
    );
    assert.ok(commits <= 4, `${commits} commits`);
    assert.equal((await rowsOf(storage)).length, 1_001);
    assert.deepEqual(await useOf(storage), [['s', 'dev_1', 1_001, 751]]);
    for (let i = 0; i < 100; i += 1) await catalog.recordInvocation(call, { durable: false });
    await catalog.close();
    assert.equal((await rowsOf(storage)).length, 1_101);
    await assert.rejects(catalog.recordInvocation(call, durable), { kind: 'unavailable' });
  });

  suite('when the store fails, callers that wait are told, the others are written when it is back', async (t) => {
    const { catalog, storage } = await setUp(t, engine);
    await catalog.put([input(catalog, 's')], 'x');
    const { write } = storage;
    const broken = new Problem('unavailable', 'The disk of the store is full; nothing was written');
    Object.assign(storage, { write: () => Promise.reject(broken) });
    await catalog.recordInvocation(call, { durable: false });
    const refused: string[] = [];
    const refuse = ({ serverId }: { serverId: string }) => void refused.push(serverId);
    catalog.enqueueInvocations([call, { ...call, serverId: 'no' }, { ...call, toolName: '' }, call], refuse);
    await assert.rejects(catalog.recordInvocation(call, durable), broken);
    await assert.rejects(catalog.flush(), broken);
    Object.assign(storage, { write });
    await catalog.flush();
    assert.equal((await rowsOf(storage)).length, 3);
    assert.deepEqual(await useOf(storage), [['s', 'dev_1', 3, 3]]);
    assert.deepEqual(refused, ['s', 'no']);
  });

  suite('a row that stands for several calls counts as often, and its latency with that weight', async (t) => {
    const { catalog, storage } = await setUp(t, engine);
    await catalog.put([input(catalog, 's')], 'x');
    const failed = { ...call, success: false };
    const noted = [
      { ...call, calls: 30, latencyMs: 10 },
      { ...failed, calls: 9, latencyMs: 50 },
      { ...failed, latencyMs: null },
    ];
    catalog.enqueueInvocations(noted, assert.fail);
    await catalog.flush();
    assert.deepEqual(await useOf(storage), [['s', 'dev_1', 40, 30]]);
    const [server] = await catalog.use.byServer(0);
    // 30 of 10 ms and 9 of 50; one did not tell.
    assert.deepEqual(server, { serverId: 's', calls: 40, successes: 30, callerFaults: 0, latencyMs: 19.2 });
    const [step] = await catalog.use.byStep(['s'], 0, 60_000);
    assert.deepEqual([step?.calls, step?.successes], [40, 30]);
    const days = await catalog.use.byDay(call.keyId, 0);
    assert.deepEqual([...days.values()], [{ calls: 40, successes: 30 }]);
  });

  suite('outcomes that pile up are refused with a time to come back, not kept without bound', async (t) => {
    const { catalog } = await setUp(t, engine);
    await catalog.put([input(catalog, 's')], 'x');
    await catalog.recordInvocation(call, durable);
    const all = await Promise.allSettled(
      Array.from({ length: 51_000 }, () => catalog.recordInvocation(call, { durable: false })),
    );
    const refused = all.filter((each) => each.status === 'rejected');
    assert.ok(refused.length >= 900 && refused.length <= 1_000, `${refused.length}`);
    const reason = refused[0]?.reason as Problem;
    assert.deepEqual([reason.kind, reason.retryAfterMs], ['unavailable', 1_000]);
    let turnedAway = 0;
    catalog.enqueueInvocations([call, call], () => turnedAway++);
    assert.equal(turnedAway, 2);
    await catalog.flush();
  });

  suite('popularity: a hundred keys of one developer move nothing; a hundred developers do', async (t) => {
    const { catalog, clock } = await setUp(t, engine);
    await catalog.put(
      ['loud', 'loved', 'plain'].map((id) => input(catalog, id)),
      'x',
    );
    const calls = [];
    for (let i = 0; i < 100; i += 1) {
      const loud = { ...call, serverId: 'loud', toolName: 't', keyId: `key_${i}` };
      for (let n = 0; n < 10; n += 1) calls.push(catalog.recordInvocation(loud, durable));
      calls.push(
        catalog.recordInvocation(
          { ...call, serverId: 'loved', toolName: 't', developerId: `dev_${i}` },
          durable,
        ),
      );
    }
    await Promise.all(calls);
    const now = (await catalog.rankingSignals()).popularity;
    const at = (id: string) => Math.round((now.get(id) ?? 0) * 1_000);
    // A hundred times one call a day is 12.6 effective developers.
    assert.deepEqual([at('loud'), at('loved'), at('plain')], [100, 448, 100]);
    assert.equal((await catalog.get('loved')).popularity, now.get('loved'));

    clock.advance(90 * 86_400_000);
    const later = (await catalog.rankingSignals()).popularity;
    assert.ok((later.get('loved') ?? 1) < 0.2, 'three months later little of it is left');
    assert.ok((later.get('loved') ?? 0) > (later.get('loud') ?? 1));
  });
}

type Rows = {
  invocations: { id: string };
  server_use: { server_id: string; developer_id: string; calls: number; successes: number };
};

function rowsOf(storage: Storage): Promise<{ id: string }[]> {
  return storage.tables<Rows>().selectFrom('invocations').select('id').execute();
}

async function useOf(storage: Storage): Promise<unknown[]> {
  const rows = await storage
    .tables<Rows>()
    .selectFrom('server_use')
    .selectAll()
    .orderBy('developer_id')
    .execute();
  return rows.map((use) => [use.server_id, use.developer_id, use.calls, use.successes]);
}
