import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAssertedTokens } from './asserted-tokens.ts';

type Deps = Parameters<typeof createAssertedTokens>[0];

const of = { owner: { developerId: 'acme', userId: 'ann' }, serverId: 's', url: 'https://s.example/mcp' };
const asking = { ...of, challenge: undefined };

/** An authorization server that gives numbered tokens, good for a day, while the company vouches for everybody. */
function tokensOver(vouches = () => true) {
  let now = 1_000_000;
  let issued = 0;
  const metadata = { issuer: 'https://as.example', grant_types_supported: [jwtBearer] };
  const tokens = createAssertedTokens({
    assertFor: async () => (vouches() ? 'assertion' : null),
    discoverServer: async () =>
      ({ metadata, issuer: metadata.issuer, resource: of.url, scopes: [] }) as never,
    clients: { find: async () => ({}) as never },
    endpoint: { assertion: async () => ({ accessToken: `t${++issued}`, lifeMs: 86_400_000 }) as never },
    clock: { now: () => now } as Deps['clock'],
    log: { info: () => undefined } as never,
  });
  return { tokens, issued: () => issued, wait: (ms: number) => (now += ms) };
}
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

test('calls that a server refuses together share one token, and one that it refuses when it is new is not asked for with every call', async () => {
  const { tokens, issued, wait } = tokensOver();
  const both = await Promise.all([tokens.get(asking), tokens.get(asking)]);
  assert.deepEqual([both.map((token) => token?.accessToken), issued()], [['t1', 't1'], 1]);
  assert.equal((await tokens.get(asking))?.accessToken, 't1', 'who went without finds what there is by now');
  const refused = both[0]?.version;
  for (let i = 0; i < 5; i++) assert.equal(await tokens.get({ ...asking, refused }), null);
  assert.equal(issued(), 1);
  wait(60_000);
  assert.equal((await tokens.get({ ...asking, refused }))?.accessToken, 't2');
  assert.equal(
    (await tokens.get({ ...asking, refused }))?.accessToken,
    't2',
    'who was refused the older one',
  );
});

test('whom the company lets go is out in five minutes, however long a token is good', async () => {
  let vouches = true;
  const { tokens, wait } = tokensOver(() => vouches);
  await tokens.get(asking);
  vouches = false;
  assert.equal((await tokens.current(of))?.accessToken, 't1');
  wait(300_000);
  assert.equal(await tokens.current(of), null);
  assert.equal(await tokens.get(asking), null);
});

test('a token whose time is over is renewed before the server refuses it, and one that no server asked for is none', async () => {
  const { tokens, issued, wait } = tokensOver();
  assert.equal(await tokens.current(of), null);
  assert.equal(issued(), 0);
  await tokens.get(asking);
  wait(300_000);
  assert.equal((await tokens.current(of))?.accessToken, 't2');
});
