import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bootApp, type TestApp, type TestReply } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { isFullRun, runsOf } from '../support/full-run.ts';
import { fitting, spoiled } from '../support/schema.ts';

const runs = isFullRun ? 60 : 12;

/** Whatever is asked: an answer in the documented form, and never a fault of ours. */
function assertSane(reply: TestReply, asked: unknown): void {
  const name = JSON.stringify(asked)?.slice(0, 500);
  assert.ok(reply.status < 500, `${reply.status} for ${name}: ${reply.text.slice(0, 300)}`);
  assert.match(reply.headers.get('x-request-id') ?? '', /^req_/);
  // What is told to an app as JSON is told to a person as a page.
  if (reply.headers.get('content-type')?.startsWith('text/html')) return;
  // Where JSON-RPC is spoken, an error is one of JSON-RPC.
  const { detail, error } = reply.body;
  if (reply.status >= 400) assert.ok(detail !== undefined || error !== undefined, `no detail for ${name}`);
}

async function boot(t: Parameters<typeof bootApp>[0]): Promise<TestApp> {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_TIERS: 'free=100,enterprise=10000000' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  await app.services.search.settled();
  return app;
}

test('what a schema accepts is answered below 500, and what is spoiled too, on every route', async (t) => {
  const app = await boot(t);
  for (const route of app.routes) {
    // Revoking keys would end the test's own.
    if (route.method === 'DELETE') continue;
    const schema = route.body as Parameters<typeof fitting>[0] | undefined;
    if (schema === undefined) continue;
    for (const bodies of [fitting(schema), spoiled(schema)]) {
      await fc.assert(
        fc.asyncProperty(bodies, async (body) =>
          assertSane(await app.call(route.method, route.url, { body }), body),
        ),
        { numRuns: runs },
      );
    }
  }
});

test('no path and no query string brings it down', async (t) => {
  const app = await boot(t);
  const piece = fc.oneof(
    fc.constantFrom('v1', 'servers', 'search', '%2e%2e', '%00', '%zz', '..', '%F0%9F', 'admin'),
    fc.webSegment(),
  );
  const path = fc
    .tuple(fc.array(piece, { maxLength: 5 }), fc.webQueryParameters())
    .map(([pieces, query]) => `/${pieces.join('/')}${query === '' ? '' : `?${query}`}`);
  await fc.assert(
    fc.asyncProperty(path, async (target) => assertSane(await app.call('GET', target), target)),
    { numRuns: runsOf(200) },
  );
  assert.equal((await app.call('GET', '/v1/health')).status, 200);
});
