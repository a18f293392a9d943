import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { applyDeclared, exportDeclared, toYaml } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { bootApp, type TestApp, temporaryFolder } from '../support/app.ts';
import { until } from '../support/programs.ts';

const config = parseConfig({});
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const keyText = `sk_mcp_rank_${'c3'.repeat(16)}`;
const secret = 'not to be seen anywhere';
const environment = { FILES_TOKEN: secret, OTHER: 'x' };

const whole = `
developers: [globex]
servers:
  - id: files
    name: Files
    description: Reads files
    remote_url: https://files.example.com/mcp
    tags: [disk]
    headers: {authorization: "Bearer \${FILES_TOKEN}"}
    granted: [{developer: acme, credentials: true}]
    tools:
      - {name: read_file, description: Reads one, inputSchema: {type: object, properties: {path: {type: string}}}}
      - {name: write_file, description: Writes one, annotations: {readOnlyHint: false}}
  - id: mail
    name: Mail
    remote_url: https://mail.example.com/mcp
    visibility: public
toolsets:
  readers:
    title: Reading
    rules:
      - {effect: allow, server: files, tool: read_*}
      - {effect: deny, tags: [beta]}
    bindings:
      keys: [&ci ${sha256(keyText)}]
      developers: [globex]
keys:
  - {developer: acme, name: ci, tier: enterprise, scopes: [search, mcp], digest: *ci}
`;

const apply = (app: TestApp, text: string, planOnly = false) =>
  applyDeclared(app.services, config, { name: 'file.yaml', text, environment, planOnly });
const names = (changes: readonly { action: string; kind: string; name: string }[]) =>
  changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);

async function refusal(act: Promise<unknown>): Promise<string> {
  let said = '';
  await assert.rejects(act, (error: Error) => {
    said = error.message;
    return true;
  });
  return said;
}

test('a file makes servers, rights, toolsets, bindings and keys, and makes them once', async (t) => {
  const app = await bootApp(t);
  const all = ['add developer globex', 'add server files', 'add server mail', 'add toolset readers'];
  const plan = await apply(app, whole, true);
  assert.deepEqual(names(plan.changes), [...all, 'add key acme/ci']);
  assert.equal((await app.call('GET', '/v1/admin/servers')).body.total ?? 0, 0, 'a plan changes nothing');
  assert.equal((await app.call('GET', '/v1/admin/toolsets/readers')).status, 404);

  assert.deepEqual(await apply(app, whole), plan);
  assert.deepEqual((await apply(app, whole)).changes, []);
  assert.deepEqual((await app.services.catalog.credential('files'))?.headers, {
    authorization: `Bearer ${secret}`,
  });
  const { body } = await app.call('GET', '/v1/admin/servers/files/rights');
  assert.deepEqual(body, {
    visibility: 'private',
    developer: 'admin',
    granted: [{ developer: 'acme', credentials: true }],
  });
  // The key is good, and sees what its toolset leaves.
  const seen = await app.call('GET', '/v1/servers/files', { key: keyText });
  assert.equal(seen.status, 200, seen.text);
  assert.deepEqual(
    (seen.body.tools as { name: string }[]).map(({ name }) => name),
    ['read_file'],
  );
  assert.equal((await app.call('GET', '/v1/servers/mail', { key: keyText })).status, 404);
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: keyText })).status, 403);
});

test('what export writes is what apply takes: nothing to change here, and the same in an empty store', async (t) => {
  const app = await bootApp(t);
  await apply(app, whole);
  await app.call('PUT', '/v1/admin/toolsets/other', {
    body: { rules: [{ effect: 'deny', categories: ['Post: "odd"'] }], default: 'allow' },
  });
  await app.newKey({ expires_at: '2999-01-01', addresses: ['10.0.0.0/8'] });
  await app.call('POST', '/v1/admin/servers', {
    body: {
      id: 'io.example/local',
      name: 'yes',
      description: '- a\n# b: c',
      transport: 'stdio',
      category: 'null',
      verified: true,
      popularity: 0.7,
      revision: '2025-06-18',
      launch: { registryType: 'npm', identifier: '@a/b', version: '1.0', args: ['-y'], env: ['KEY'] },
      tools: [
        { name: '1', inputSchema: { type: 'object', maximum: 1e30 }, title: 'One', _meta: { a: null } },
      ],
    },
  });
  const yaml = toYaml(await exportDeclared(app.services), await app.services.catalog.credentialed());
  assert.ok(!yaml.includes(secret));
  assert.match(yaml, /# its credentials stay in the store.*\n.*id: files/);
  const again = await apply(app, yaml, true);
  assert.deepEqual(again.changes, []);
  assert.deepEqual((await apply(app, JSON.stringify(await exportDeclared(app.services)), true)).changes, []);

  const empty = await bootApp(t);
  await apply(empty, yaml);
  assert.deepEqual(await exportDeclared(empty.services), await exportDeclared(app.services));
  assert.deepEqual((await apply(empty, yaml, true)).changes, []);
});

test('a plan names each field that differs, and no secret', async (t) => {
  const app = await bootApp(t);
  await apply(app, whole);
  const text = whole
    .replace('description: Reads files', 'description: Reads all files')
    .replace('description: Reads one', 'description: Reads just one')
    .replace('FILES_TOKEN', 'OTHER')
    .replace('tool: read_*', 'tool: get_*')
    .replace('granted: [{developer: acme, credentials: true}]', 'granted: []')
    .replace('tier: enterprise', 'tier: pro');
  const { changes } = await apply(app, text, true);
  assert.deepEqual(
    changes.map(({ action, name, fields }) => [action, name, ...fields.map(({ field }) => field)]),
    [
      [
        'change',
        'files',
        'description',
        'tools.read_file.description',
        'headers.authorization',
        'granted[0]',
      ],
      ['change', 'readers', 'rules[0].tool'],
      ['change', 'acme/ci', 'tier'],
    ],
  );
  assert.ok(!JSON.stringify(changes).includes(secret));
  assert.deepEqual((await apply(app, text)).changes, changes);
  assert.deepEqual((await apply(app, text)).changes, []);
  assert.equal((await app.services.catalog.credential('files'))?.headers.authorization, 'Bearer x');
});

test('how the service signs in at a server stands in a file, its secret in the environment', async (t) => {
  const app = await bootApp(t);
  const from = (name: string) => `"\${${name}}"`;
  const signing = (client: string, more = '') => `servers:
  - id: reports
    name: Reports
    remote_url: https://reports.example.com/mcp
    client_credentials: {issuer: https://login.example.com, client_id: us, ${client}}${more}
`;
  const withSecret = signing(`client_secret: ${from('FILES_TOKEN')}`);
  const [added] = (await apply(app, withSecret)).changes;
  assert.ok(added?.fields.some(({ field }) => field === 'client_credentials'));
  assert.ok(!JSON.stringify(added).includes(secret));
  assert.deepEqual((await apply(app, withSecret)).changes, []);
  const kept = async () => app.services.catalog.credential('reports');
  const login = { issuer: 'https://login.example.com', clientId: 'us', clientKey: null, scopes: [] };
  assert.deepEqual((await kept())?.machineLogin, { ...login, clientSecret: secret });
  const rights = await app.call('GET', '/v1/admin/servers/reports/rights');
  assert.equal(rights.body.visibility, 'private', 'whoever else would use it first has to be allowed');

  const fieldsOf = async (text: string) =>
    (await apply(app, text)).changes.flatMap(({ fields }) => fields.map(({ field }) => field));
  const another = signing(`client_secret: ${from('OTHER')}`);
  assert.deepEqual(await fieldsOf(another), ['client_credentials.client_secret']);
  assert.equal((await kept())?.machineLogin?.clientSecret, 'x');
  const headers = `\n    headers: {x-team: ${from('OTHER')}}`;
  assert.deepEqual(await fieldsOf(signing(`client_secret: ${from('OTHER')}`, headers)), ['headers']);
  assert.deepEqual((await kept())?.headers, { 'x-team': 'x' });
  assert.equal((await kept())?.machineLogin?.clientSecret, 'x');

  for (const [client, fault] of [
    ['client_secret: plain', /client_credentials\.client_secret: expected a reference/],
    [`client_key: ${from('OTHER')}`, /client_credentials\.client_key: expected a private JWK/],
    ['scopes: []', /client_credentials\.client_secret: expected this or client_key/],
  ] as const)
    await assert.rejects(apply(app, signing(client)), fault);
});

test('only what a file made is taken away, and only where its section is there', async (t) => {
  const app = await bootApp(t);
  await app.call('PUT', '/v1/admin/toolsets/theirs', { body: { rules: [] } });
  await app.call('POST', '/v1/admin/servers', {
    body: { id: 'theirs', name: 'Theirs', remote_url: 'https://theirs.example.com/mcp' },
  });
  const theirs = await app.newKey();
  await apply(app, whole);
  assert.deepEqual((await apply(app, 'developers: []')).changes, []);
  const { changes } = await apply(app, 'servers: []\ntoolsets: {}\nkeys: []');
  assert.deepEqual(names(changes), [
    'remove server files',
    'remove server mail',
    'remove toolset readers',
    'remove key acme/ci',
  ]);
  const asked = (path: string, key?: string) => app.call('GET', path, key === undefined ? {} : { key });
  assert.equal((await asked('/v1/servers/files')).status, 410);
  assert.equal((await asked('/v1/servers/theirs')).status, 200);
  assert.equal((await asked('/v1/admin/toolsets/readers')).status, 404);
  assert.equal((await asked('/v1/admin/toolsets/theirs')).status, 200);
  assert.equal((await asked('/v1/servers/theirs', keyText)).status, 401);
  assert.equal((await asked('/v1/servers/theirs', theirs)).status, 200);
  assert.deepEqual((await apply(app, 'servers: []\ntoolsets: {}\nkeys: []')).changes, []);
  // A key that was revoked is not made good again by a file.
  const { warnings } = await apply(app, whole);
  assert.equal(warnings[0], 'keys.acme/ci: it was revoked, and stays so');
  assert.equal((await asked('/v1/servers/theirs', keyText)).status, 401);
});

test('toolsets change all at once: nobody is held to the new rules of one by what it was bound to before', async (t) => {
  const app = await bootApp(t);
  const text = (server: string, developer: string) => `developers: [acme, globex]
toolsets:
  a: {rules: [{effect: allow, server: ${server}}], bindings: {developers: [${developer}]}}
  b: {rules: [{effect: allow, server: mail}], bindings: {developers: [acme]}}
`;
  await apply(app, text('mail', 'acme'));
  const { policy } = app.services;
  const effects: string[] = [];
  const look = () => {
    const bank = { id: 'bank', category: null, tags: [] };
    effects.push(policy.decide({ keyId: 'key', developer: 'acme' }, bank, null).effect);
  };
  // After every change of rights.
  const admin = new Proxy(policy.admin, {
    get(verbs, name) {
      const verb = Reflect.get(verbs, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        const result = verb(...args);
        return result instanceof Promise ? result.finally(look) : result;
      };
    },
  });
  const services = { ...app.services, policy: { ...policy, admin } };
  await applyDeclared(services, config, { name: 'file.yaml', text: text('bank', 'globex'), environment });
  assert.deepEqual(effects, ['deny'], 'before and after it is denied');
});

test('what broke off behind a toolset is the file’s all the same: the next file takes it away', async (t) => {
  const app = await bootApp(t);
  const { catalog } = app.services;
  const broken = { ...catalog, put: () => Promise.reject(new Error('the store has gone')) };
  const text = { name: 'file.yaml', text: whole, environment };
  await assert.rejects(applyDeclared({ ...app.services, catalog: broken }, config, text), /has gone/);
  assert.equal((await app.call('GET', '/v1/admin/toolsets/readers')).status, 200);
  await apply(app, whole);
  assert.ok(names((await apply(app, 'toolsets: {}')).changes).includes('remove toolset readers'));
});

test('a rule that fits nothing, in the catalogue and in the file, is a warning', async (t) => {
  const app = await bootApp(t);
  assert.deepEqual((await apply(app, whole, true)).warnings, [
    'toolsets.readers.rules[1]: fits no tool here',
  ]);
  const { warnings } = await apply(app, whole.replace('server: files, tool', 'server: fils, tool'));
  assert.match(warnings[0] ?? '', /^toolsets\.readers\.rules\[0\]: fits no tool here/);
});

test('of a server from elsewhere a file says who sees it', async (t) => {
  const app = await bootApp(t);
  const parsed = app.services.catalog.parse({
    id: 'far',
    name: 'Far',
    remote_url: 'https://far.example.com',
  });
  assert.ok(parsed.ok);
  await app.services.catalog.put([parsed.input], 'registry');
  const text = 'servers: [{id: far, visibility: private, developer: acme}]';
  assert.deepEqual(names((await apply(app, text)).changes), ['change server far']);
  assert.equal((await app.services.catalog.get('far')).source, 'registry');
  const key = await app.newKey({ developer: 'somebody' });
  assert.equal((await app.call('GET', '/v1/servers/far', { key })).status, 404);
  assert.deepEqual((await exportDeclared(app.services)).servers, [
    { id: 'far', visibility: 'private', developer: 'acme', granted: [] },
  ]);
});

const server = 'servers:\n  - id: a\n    name: A\n    remote_url: https://a.example.com\n';
const digest = `digest: ${'0a'.repeat(32)}`;
const key = `{developer: acme, name: ci, tier: free, ${digest}}`;
const faults: readonly [string, RegExp][] = [
  ['', /file\.yaml has a fault, and nothing of it is applied:\n.*expected some of developers, servers/],
  ['[]', /expected some of developers/],
  ['servers: [', /line 2: /],
  ['servers: []\nservers: []', /line 2: .*unique/],
  ['serverz: []', /line 1: serverz: unknown field/],
  ['servers:', /servers: expected a list/],
  ['servers: {a: {}}', /servers: expected a list/],
  ['servers:\n  - 7', /line 2: servers\[0\]: expected a server/],
  ['servers:\n  - id: a', /line 2: servers\[0\]\.name: /],
  [`${server}    visibilty: private`, /line 5: servers\[0\]\.visibilty: unknown field/],
  [`${server}    visibility: secret`, /line 5: servers\[0\]\.visibility: expected one of public, private/],
  [`${server}    granted: [{developer: 1}]`, /line 5: servers\[0\]\.granted\[0\]\.developer: /],
  [`${server}    tools: [{name: ""}]`, /line 5: servers\[0\]\.tools\[0\]\.name: expected/],
  [`${server}    headers: {x-key: abc}`, /line 5: servers\[0\]\.headers\.x-key: expected a reference/],
  [`${server}    headers:\n      x-key: "\${NOT_THERE}"`, /line 6: .*the environment has no NOT_THERE/],
  [`${server}    headers:\n      host: "\${OTHER}"`, /servers\[0\]\.headers: "host" is not/],
  [`${server}  - {id: "a ", name: A, transport: stdio}`, /line 5: servers\[1\]\.id: has spaces around it/],
  [`${server.replace('a.example.com', '127.0.0.1')}`, /line 4: servers\[0\]\.remote_url: /],
  [
    `${server}  - {id: a, name: A, transport: stdio}`,
    /line 5: servers\[1\]\.id: the same as servers\[0\]\.id/,
  ],
  [
    `${server}    headers:\n      X-Key: "\${OTHER}"\n      x-key: "\${FILES_TOKEN}"`,
    /line 7: servers\[0\]\.headers\.x-key: the same as headers\.X-Key/,
  ],
  [
    `${server}    user_credentials: {headers: {X-Key: "{a}", x-KEY: "{b}"}}`,
    /line 5: servers\[0\]\.user_credentials\.headers\.x-KEY: the same as/,
  ],
  [
    `${server}    granted:\n      - {developer: acme, credentials: true}\n      - {developer: acme}`,
    /line 7: servers\[0\]\.granted\[1\]\.developer: the same as granted\[0\]\.developer/,
  ],
  [
    `${server}    tools:\n      - {name: x}\n      - {name: x}`,
    /line 7: servers\[0\]\.tools\[1\]\.name: the same as servers\[0\]\.tools\[0\]\.name/,
  ],
  [
    `${server}    tools: [{name: x, descripton: y}]`,
    /line 5: servers\[0\]\.tools\[0\]\.descripton: unknown field/,
  ],
  [
    `${server}    tools: [{name: x, annotations: {readOnlyHint: "yes"}}]`,
    /line 5: servers\[0\]\.tools\[0\]\.annotations\.readOnlyHint: expected true or false/,
  ],
  [
    `${server}    launch: {registryType: npm, identifier: x, verzion: 1}`,
    /servers\[0\]\.launch\.verzion: unknown field/,
  ],
  [
    `${server}    launch: {registryType: npm, identifier: x, args: x}`,
    /servers\[0\]\.launch\.args: expected an array/,
  ],
  [`${server}    client_credentials: {skope: x}`, /servers\[0\]\.client_credentials\.skope: unknown field/],
  [`${server}    user_credentials: {heders: {}}`, /servers\[0\]\.user_credentials\.heders: unknown field/],
  [
    `${server}    user_credentials: {headers: {x-key: "{key}"}, variables: {key: {descripton: x}}}`,
    /servers\[0\]\.user_credentials\.variables\.key\.descripton: unknown field/,
  ],
  [`${server}    verified: "yes"`, /line 5: servers\[0\]\.verified: expected true or false/],
  [`${server}    popularity: many`, /line 5: servers\[0\]\.popularity: expected a number, or/],
  [`${server}    repository_url: 7`, /line 5: servers\[0\]\.repository_url: expected a string/],
  ['developers:\n  - x\n  - x', /line 3: developers\[1\]: the same as developers\[0\]/],
  ['developers: [{name: x, age: 7}]', /developers\[0\]\.age: unknown field; expected name/],
  ['developers: ["x "]', /developers\[0\]: has spaces around it/],
  [`keys:\n  - ${key.replace('acme', '" acme"')}`, /line 2: keys\[0\]\.developer: has spaces around it/],
  ['toolsets: {a: {rules: []}, a: {rules: []}}', /line 1: .*unique/],
  [
    'toolsets:\n  a:\n    rules: []\n    overrides:\n      - {server: s, tool: t, title: A}\n      - {server: s, tool: t}',
    /line 6: toolsets\.a\.overrides\[1\]: of the same tool as overrides\[0\]/,
  ],
  ['servers: [{id: nowhere, visibility: private}]', /servers\[0\]\.id: there is no such server/],
  ['toolsets: []', /toolsets: expected toolsets by their names/],
  ['toolsets:\n  Bad Name: {rules: []}', /line 2: toolsets\.Bad Name\.name: expected 1 to 64/],
  ['toolsets:\n  a: 7', /line 2: toolsets\.a: expected an object/],
  [
    'toolsets:\n  a:\n    rules:\n      - effect: alow',
    /line 4: toolsets\.a\.rules\[0\]\.effect: expected one of/,
  ],
  [
    'toolsets:\n  a:\n    rules:\n      - {effect: deny, tol: x}',
    /line 4: toolsets\.a\.rules\[0\]\.tol: unknown field/,
  ],
  [
    'toolsets:\n  a:\n    rules: []\n    bindings: {keys: [key_x]}',
    /line 4: toolsets\.a\.bindings\.keys\[0\]: unknown/,
  ],
  [
    'toolsets:\n  a:\n    rules: []\n    bindings: {developers: [x]}',
    /line 4: toolsets\.a\.bindings\.developers\[0\]: unknown/,
  ],
  ['keys:\n  - {developer: acme}', /line 2: keys\[0\]\.name: required/],
  [`keys:\n  - {key: ${keyText}}`, /line 2: keys\[0\]\.key: unknown field/],
  [`keys:\n  - ${key.replace(digest, 'digest: abc')}`, /line 2: keys\[0\]\.digest: expected the SHA-256/],
  [`keys:\n  - ${key.replace('free', 'gold')}`, /line 2: keys\[0\]\.tier: expected one of free, pro/],
  [`keys:\n  - ${key.replace('}', ', expires_at: soon}')}`, /line 2: keys\[0\]\.expires_at: expected a time/],
  [
    `keys:\n  - ${key.replace('}', ', addresses: [x1]}')}`,
    /line 2: keys\[0\]\.addresses\[0\]: expected an address/,
  ],
  [`keys:\n  - ${key}\n  - ${key}`, /line 3: keys\[1\]\.digest: the same as keys\[0\]\.digest/],
  [`a: &a [1]\nb: [${'*a, '.repeat(2_000)}]`, /./],
];

test('a file with a fault anywhere applies nothing and says where', async (t) => {
  const app = await bootApp(t);
  // What is right in the same file is not applied either.
  const withRight = (text: string) =>
    /^(\[|$|developers)/.test(text) ? text : `${text}\ndevelopers: [initech]`;
  for (const [text, reason] of faults) assert.match(await refusal(apply(app, withRight(text))), reason, text);
  assert.deepEqual(await app.services.access.listDevelopers(), ['admin']);
  assert.deepEqual((await exportDeclared(app.services)).servers, []);
  const said = await refusal(apply(app, 'servers: [1, 2]\nkeys: [3]'));
  assert.match(said, /has 3 faults/);
});

test('a key stays with its developer', async (t) => {
  const app = await bootApp(t);
  await apply(app, `keys: [${key}]`);
  assert.match(
    await refusal(apply(app, `keys: [${key.replace('acme', 'globex')}]`)),
    /keys\[0\]\.developer: the key is one of acme/,
  );
});

async function serve(t: TestContext, text: string) {
  const path = join(temporaryFolder(t), 'rights.yaml');
  writeFileSync(path, text);
  const app = await bootApp(t, { MCPRANK_CONFIG: path }, { environment });
  const write = (next: string) => {
    writeFileSync(`${path}.next`, next);
    renameSync(`${path}.next`, path);
  };
  return { app, write };
}

test('MCPRANK_CONFIG is applied before anybody is served, and again when it changes; a fault changes nothing', async (t) => {
  const { app, write } = await serve(t, whole);
  const logged = (event: string) => app.lines.filter((line) => line.includes(event));
  assert.equal((await app.call('GET', '/v1/servers/files', { key: keyText })).status, 200);
  write(whole.replace('tool: read_*', 'tol: x'));
  await app.reload();
  assert.equal(logged('config.file.not_applied').length, 1);
  assert.match(logged('config.file.not_applied')[0] ?? '', /toolsets\.readers\.rules\[0\]\.tol/);
  write(whole.replace('tool: read_*', 'tool: write_*'));
  await until('the other tool is left', async () => {
    const { text } = await app.call('GET', '/v1/servers/files', { key: keyText });
    return text.includes('write_file') && !text.includes('read_file');
  });
});

test('a fault in MCPRANK_CONFIG stops the start', async (t) => {
  await assert.rejects(serve(t, 'keys: 7'), { kind: 'setup', message: /keys: expected a list/ });
  await assert.rejects(bootApp(t, { MCPRANK_CONFIG: '/nowhere/at/all' }), { kind: 'setup' });
});

test('JSON is taken as YAML is', async (t) => {
  const app = await bootApp(t);
  const { changes } = await apply(app, JSON.stringify({ toolsets: { a: { rules: [] } } }, null, 2));
  assert.deepEqual(names(changes), ['add toolset a']);
  assert.deepEqual((await apply(app, stringify({ toolsets: { a: { rules: [] } } }))).changes, []);
});
