import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDeclared, exportDeclared, toYaml } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { bootApp, type TestApp } from '../support/app.ts';
import { until } from '../support/programs.ts';
import { engines } from '../support/stores.ts';

const config = parseConfig({});
const secret = 'not to be seen anywhere';

const whole = `
providers:
  acme:
    title: Acme
    client_id: ours
    client_secret: "\${ACME_SECRET}"
    issuer: https://login.acme.example
    scopes: [read]
    default_origin: https://api.acme.example
  google: {client_id: own-client, client_secret: "\${ACME_SECRET}"}
toolsets:
  careful:
    rules:
      - {effect: ask, readOnly: false, arguments: [{path: amount, max: 10}], self: true}
    budget: {calls_per_day: 100}
    overrides: [{server: bank, tool: pay, title: Pay}]
    bindings: {clients: [desk], groups: [ops]}
`;

const apply = (app: TestApp, text: string, { planOnly = false, value = secret } = {}) =>
  applyDeclared(app.services, config, {
    name: 'file.yaml',
    text,
    environment: { ACME_SECRET: value },
    planOnly,
  });
/** The start of a consent says whether there is such a provider, and whose client we are. */
const consent = (app: TestApp, provider: string) =>
  app.call('POST', '/v1/identity/sessions', { body: { user_id: 'ann', provider } });

for (const engine of engines)
  test(`${engine.name}: providers of a file are there at once, in other processes and after a restart, and go with it`, {
    skip: engine.skip,
  }, async (t) => {
    const env = {
      MCPRANK_VAULT_KEYS: `k:${Buffer.alloc(32, 7).toString('base64')}`,
      ...(await engine.environment(t)),
    };
    const [app, other] = [await bootApp(t, env), await bootApp(t, env)];
    assert.equal((await consent(app, 'acme')).status, 404);
    assert.equal((await consent(app, 'google')).status, 400, 'it has no client');
    const { changes } = await apply(app, whole);
    assert.deepEqual(
      changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`),
      ['add toolset careful', 'add provider acme', 'add provider google'],
    );
    assert.deepEqual((await apply(app, whole)).changes, [], 'applied again it does nothing');
    const clientIn = async (at: TestApp) => {
      const { body } = await consent(at, 'google');
      return body.session_id === undefined
        ? null
        : at.services.connections.providerApi('acme')?.defaultOrigin;
    };
    assert.equal(await clientIn(app), 'https://api.acme.example');
    await until('the other process has it', async () => (await clientIn(other)) !== null);
    const stored = await app.services.storage
      .tables<{ declared_providers: object }>()
      .selectFrom('declared_providers')
      .selectAll()
      .execute();
    assert.ok(!JSON.stringify(stored).includes(secret));
    await other.close();
    const again = await bootApp(t, env);
    assert.equal(await clientIn(again), 'https://api.acme.example');

    await apply(app, 'providers: {}');
    assert.equal((await consent(app, 'acme')).status, 404);
    assert.equal((await consent(app, 'google')).status, 400, 'what is built in is as it was');
  });

test('a plan names what differs of a provider, and no secret; what export writes changes nothing', async (t) => {
  const app = await bootApp(t);
  await apply(app, whole);
  const other = await apply(app, whole.replace('[read]', '[read, write]'), {
    planOnly: true,
    value: 'other',
  });
  const [acme] = other.changes.filter(({ name }) => name === 'acme');
  assert.deepEqual(acme?.fields.map(({ field }) => field).sort(), ['client_secret', 'scopes']);
  assert.ok(!JSON.stringify(other).includes(secret) && !JSON.stringify(other).includes('"other"'));
  const exported = await exportDeclared(app.services);
  const text = toYaml(exported, new Set());
  assert.ok(text.includes('acme:') && !text.includes(secret) && !text.includes('client_secret:'), text);
  assert.deepEqual((await apply(app, text)).changes, [], 'a secret that the file does not say stays');
  const careful = exported.toolsets.careful as Record<string, unknown>;
  assert.deepEqual(careful.budget, { calls_per_day: 100 });
  assert.deepEqual(careful.bindings, { keys: [], developers: [], clients: ['desk'], groups: ['ops'] });
});

test('a fault in a provider or a rule applies nothing and says where', async (t) => {
  const app = await bootApp(t);
  for (const [text, expected] of [
    [
      'providers: {acme: {client_id: x, client_secret: plain, issuer: "https://a.example"}}',
      /providers\.acme\.client_secret: expected a reference/,
    ],
    ['providers: {acme: {title: x}}', /providers\.acme: expected an issuer/],
    [
      'providers: {acme: {issuer: "https://a.example", colour: red}}',
      /providers\.acme\.colour: unknown field/,
    ],
    ['providers: []', /providers: expected providers by their names/],
    [
      'toolsets: {a: {rules: [{effect: deny, arguments: [{path: x, matches: "(?=y)"}]}]}}',
      /toolsets\.a\.rules\[0\]\.arguments\[0\]\.matches: /,
    ],
    [
      'toolsets: {a: {rules: [{effect: allow}, {effect: allow, self: true}]}}',
      /toolsets\.a\.rules\[1\]\.self: /,
    ],
  ] as const)
    await assert.rejects(apply(app, text), (error: Error) => {
      assert.match(error.message, expected);
      assert.match(error.message, /line 1/);
      return true;
    });
  assert.deepEqual(app.services.connections.declaredProviders.all(), []);
});
