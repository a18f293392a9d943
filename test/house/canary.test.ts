import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { adminKey, bootApp } from '../support/app.ts';
import { googleRow, startGoogleApi } from '../support/google-api.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';
import { engines } from '../support/stores.ts';

/** Everything in the tables of a PostgreSQL database, as text. */
async function dump(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const tables = await client.query<{ tablename: string }>(
    `select tablename from pg_tables where schemaname = 'public'`,
  );
  const parts: string[] = [];
  for (const { tablename } of tables.rows)
    parts.push(JSON.stringify((await client.query(`select * from "${tablename}"`)).rows));
  await client.end();
  return parts.join('\n');
}

for (const engine of engines)
  test(`${engine.name}: M1 K6 a whole day of the service leaves no secret in log, metrics, errors, audit, catalogue or store`, {
    skip: engine.skip,
  }, async (t) => {
    const secrets = new Map<string, string>();
    const plant = (name: string, text: unknown) => {
      assert.ok(typeof text === 'string' && text.length >= 16, name);
      secrets.set(name, text);
    };
    const idp = await startIdp(t);
    idp.conduct.edit = (body) => {
      for (const field of ['access_token', 'refresh_token', 'id_token'])
        if (typeof body[field] === 'string') plant(`${field} ${secrets.size}`, body[field]);
      return body;
    };
    const api = await startGoogleApi(t, idp);
    const storeEnv = await engine.environment(t);
    const vaultKey = Buffer.alloc(32, 11).toString('base64');
    const app = await bootApp(t, {
      ...providerSettings(t, { google: googleRow(idp, api) }, idp),
      ...storeEnv,
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
      MCPRANK_VAULT_KEYS: `k:${vaultKey}`,
      MCPRANK_EMBEDDINGS: 'openai:http://127.0.0.1:9/v1#m',
      MCPRANK_EMBEDDINGS_KEY: 'planted-embeddings-key',
    });
    plant('admin key', adminKey);
    plant('vault key', vaultKey);
    plant('embeddings key', 'planted-embeddings-key');
    const replies: string[] = [];
    const call = async (...args: Parameters<typeof app.call>) => {
      const reply = await app.call(...args);
      replies.push(`${[...reply.headers].join('\n')}\n${reply.text}`);
      return reply;
    };

    const made = await app.call('POST', '/v1/admin/keys', {
      body: { developer: 'd', name: 'k', tier: 'enterprise' },
    });
    const key = String(made.body.key);
    plant('api key', key);
    const hook = await app.call('PUT', '/v1/identity/webhook', {
      body: { url: 'http://127.0.0.1:9/x' },
      key,
    });
    plant('webhook secret', hook.body.secret);
    const upstream = await startRaw(t, ({ body }, reply) =>
      sendJson(reply, body.method === 'tools/call' ? 500 : 404, { error: 'planted nothing' }),
    );
    plant('server header', 'planted-server-header-9c1');
    await call('POST', '/v1/admin/servers', {
      body: {
        id: 's',
        name: 's',
        remote_url: upstream.url,
        headers: { 'X-Key': 'planted-server-header-9c1' },
      },
    });

    await connectUser(app, { userId: 'alice', provider: 'google' });
    const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'alice' } });
    plant('MIT', issued.body.access_token);
    plant('refresh token', issued.body.refresh_token);
    const headers = { authorization: `Bearer ${String(issued.body.access_token)}` };
    const renewed = await app.call('POST', '/v1/identity/refresh', {
      body: { refresh_token: issued.body.refresh_token },
    });
    plant('second MIT', renewed.body.access_token);
    plant('second refresh token', renewed.body.refresh_token);

    // Things that go right, and things that go wrong with a secret in their hands.
    await call('GET', '/v1/proxy/google/calendar/v3/calendars/primary/events', { headers });
    await call('GET', `/v1/proxy/google/calendar/v3/x?access_token=${key}`, { headers });
    await call('GET', '/v1/proxy/google/nowhere', { headers });
    await call('POST', '/v1/mcp/tools/call', { body: { server_id: 's', name: 'x' }, headers });
    await call('POST', '/v1/admin/servers/s/probe');
    await call('POST', '/v1/search', { body: { query: `my key is ${key}` } });
    await call('POST', '/v1/search', { body: { query: 'x', oops: key } });
    await call('POST', '/v1/search', { body: `{"query": "${key}` });
    await call('GET', `/v1/servers?api_key=${key}`);
    await call('GET', '/v1/servers', { key: `${key.slice(0, -1)}x` });
    await call('POST', '/v1/identity/refresh', { body: { refresh_token: renewed.body.refresh_token }, key });
    await call('POST', '/v1/identity/refresh', { body: { refresh_token: `rt_${'z'.repeat(43)}` } });
    await call('GET', '/v1/proxy/google/info', { headers: { authorization: 'Bearer not.a.mit' } });
    await call('POST', '/v1/identity/introspect', { body: { token: renewed.body.access_token }, key });
    for (const path of [
      '/v1/admin/keys',
      '/v1/admin/servers',
      '/v1/admin/audit',
      '/v1/admin/connections',
      '/metrics',
    ])
      await call('GET', path);
    await call('POST', '/v1/identity/revoke', { body: { user_id: 'alice' } });
    await app.services.webhooks.deliver(new AbortController().signal);
    await app.services.catalog.flush();
    await app.close();

    const folder = app.dataDir;
    const files = readdirSync(folder).filter((name) => name !== 'vault.key');
    const places: Record<string, string> = {
      log: app.lines.join('\n'),
      replies: replies.join('\n'),
      [storeEnv.DATABASE_URL === undefined ? 'database' : 'data folder']: files
        .map((name) => readFileSync(join(folder, name)).toString('latin1'))
        .join('\n'),
      ...(storeEnv.DATABASE_URL !== undefined && { database: await dump(storeEnv.DATABASE_URL) }),
    };
    assert.ok(secrets.size >= 12, [...secrets.keys()].join(', '));
    for (const [place, text] of Object.entries(places)) {
      assert.ok(place === 'data folder' || text.length > 1_000, `${place} was looked at`);
      for (const [name, secret] of secrets) assert.ok(!text.includes(secret), `${name} is in the ${place}`);
    }
  });
