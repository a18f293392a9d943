import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import type { ServerInput } from '../catalog-model.ts';
import { parseEntry, type Strictness } from './entry.ts';

const good = {
  id: 'org/one',
  name: 'One',
  description: 'does things',
  remote_url: 'https://one.example/mcp',
};

function accept(
  value: unknown,
  strictness: Strictness = 'strict',
): { input: ServerInput; notes: readonly string[] } {
  const parsed = parseEntry(value, strictness);
  assert.equal(parsed.kind, 'server', JSON.stringify(parsed));
  assert.ok(parsed.kind === 'server');
  return parsed;
}

function refuse(fields: Record<string, unknown>): string {
  const parsed = parseEntry({ ...good, ...fields }, 'strict');
  assert.ok(parsed.kind === 'bad', JSON.stringify(parsed));
  return parsed.reason;
}

test('a row in the catalog format becomes a server', () => {
  const { input, notes } = accept({
    ...good,
    transport: 'sse',
    auth_type: 'oauth2',
    category: 'mail',
    tags: ['mail', 'mail', 'calendar'],
    verified: true,
    repository_url: 'https://github.com/org/one',
    popularity: { use_count: 1000, rank_by_usage: 3 },
    tools: [
      {
        name: 'send',
        description: 'Sends',
        inputSchema: { type: 'object', properties: { to: { type: 'string' } } },
      },
      { name: 'list', input_schema: {} },
    ],
  });
  assert.deepEqual(notes, []);
  assert.deepEqual(
    { ...input, prior: Math.round((input.prior ?? 0) * 1000) },
    {
      id: 'org/one',
      name: 'One',
      description: 'does things',
      version: null,
      remoteUrl: 'https://one.example/mcp',
      transport: 'sse',
      authType: 'oauth2',
      category: 'mail',
      tags: ['mail', 'calendar'],
      verified: true,
      repositoryUrl: 'https://github.com/org/one',
      launch: null,
      prior: 480,
      headers: null,
      tools: [
        {
          name: 'send',
          description: 'Sends',
          inputSchema: '{"type":"object","properties":{"to":{"type":"string"}}}',
        },
        { name: 'list', description: '', inputSchema: '{"type":"object"}' },
      ],
    },
  );
});

test('defaults: a URL means streamable-http, none means stdio; absent tools are unknown, an empty list is none', () => {
  assert.equal(accept(good).input.transport, 'streamable-http');
  const { input } = accept({ id: 'x', name: 'X', tools: [] });
  assert.deepEqual([input.transport, input.remoteUrl, input.tools], ['stdio', null, []]);
  assert.equal(accept(good).input.tools, null);
});

test('a refusal names the field and what was expected', () => {
  assert.equal(refuse({ id: 7 }), 'id: expected 1 to 200 printable characters');
  assert.equal(refuse({ id: 'x'.repeat(201) }), 'id: expected 1 to 200 printable characters');
  assert.equal(refuse({ id: 'a\u0000b' }), 'id: expected 1 to 200 printable characters');
  assert.equal(refuse({ name: ' ' }), 'name: expected 1 to 200 printable characters');
  assert.equal(refuse({ description: 5 }), 'description: expected a text');
  assert.match(refuse({ remote_url: 'ftp://x.example' }), /^remote_url: expected an http\(s\) URL/);
  assert.match(refuse({ remote_url: 'javascript:alert(1)' }), /^remote_url/);
  assert.equal(refuse({ transport: 'carrier-pigeon' }), 'transport: expected streamable-http, sse or stdio');
  assert.match(refuse({ remote_url: null, transport: 'sse' }), /^remote_url: expected/);
  assert.equal(refuse({ auth_type: 'magic' }), 'auth_type: expected null, api_key, bearer or oauth2');
  assert.equal(refuse({ tools: {} }), 'tools: expected an array');
  assert.equal(refuse({ tools: [{ name: '' }] }), 'tools[0].name: expected 1 to 128 printable characters');
  assert.match(refuse({ tools: Array(10_001).fill({ name: 'x' }) }), /^tools: expected at most 10000/);
  for (const name of ['Host', 'Content-Length', 'MCP-Session-Id', 'a b', 'x\r\ny'])
    assert.match(refuse({ headers: { [name]: 'x' } }), /^headers: .* is not a header field to be set here/);
  assert.match(
    refuse({ headers: { 'x-key': 'a\r\nb' } }),
    /^headers\.x-key: expected a text without line breaks/,
  );
  assert.match(refuse({ headers: { 'x-key': 5 } }), /^headers\.x-key/);
  assert.match(refuse({ headers: [] }), /^headers: expected an object/);
  for (const value of [null, 3, 'text', [good]]) {
    assert.deepEqual(parseEntry(value, 'strict'), {
      kind: 'bad',
      id: null,
      reason: 'expected a JSON object',
    });
  }
});

test('what can be mended is mended and noted', () => {
  const big = { type: 'object', properties: { x: { description: 'y'.repeat(70_000) } } };
  const { input, notes } = accept(
    {
      ...good,
      description: 'd'.repeat(9_000),
      remote_url: 'https://u:p@one.example/mcp?api_key=12345',
      tools: [
        { name: 'a', inputSchema: 'no object' },
        { name: 'b', inputSchema: big },
        { name: 'a', description: 'again' },
        { name: '' },
        null,
      ],
    },
    'lenient',
  );
  assert.equal(input.description.length, 8_000);
  assert.equal(input.remoteUrl, 'https://one.example/mcp?api_key={api_key}');
  assert.deepEqual(
    input.tools?.map((tool) => [tool.name, tool.inputSchema]),
    [
      ['a', '{"type":"object"}'],
      ['b', '{"type":"object"}'],
    ],
  );
  assert.deepEqual(notes, [
    'remote_url: a credential in it was replaced',
    'description: cut at 8000 of 9000 characters',
    'tools[0].inputSchema: expected an object, replaced by {"type":"object"}',
    'tools[1].inputSchema: larger than 64 KB, replaced by {"type":"object"}',
    'tools[2].name: "a" is there twice, the first is kept',
    'tools[3].name: expected 1 to 128 printable characters; the tool is left out',
    'tools[4]: expected an object; the tool is left out',
  ]);
});

test('of what a tool says of itself the largest is left out where it is too much, and hints stay', () => {
  const schema = (kilobytes: number) => ({ type: 'object', description: 'y'.repeat(kilobytes * 1_024) });
  const annotations = { readOnlyHint: true };
  const toolWith = (outputSchema: unknown) =>
    accept({ ...good, tools: [{ name: 'a', title: 'A', annotations, outputSchema }] });
  // As large as any real one that was seen (@brave/brave-search-mcp-server 2.1.4), and some more.
  const whole = toolWith(schema(200));
  assert.deepEqual(JSON.parse(whole.input.tools?.[0]?.details ?? ''), {
    title: 'A',
    annotations,
    outputSchema: schema(200),
  });
  assert.deepEqual(whole.notes, []);
  const cut = toolWith(schema(300));
  assert.deepEqual(JSON.parse(cut.input.tools?.[0]?.details ?? ''), { title: 'A', annotations });
  assert.deepEqual(cut.notes, ['tools[0].outputSchema: too large, left out (a tool has 256 KB)']);
  let deep: unknown = {};
  for (let i = 0; i < 100_000; i += 1) deep = { items: deep };
  const { input, notes } = toolWith(deep);
  assert.deepEqual(JSON.parse(input.tools?.[0]?.details ?? ''), { title: 'A', annotations });
  assert.deepEqual(notes, ['tools[0].outputSchema: nested too deeply, left out']);
});

test('a schema nested without end is replaced, not a crash', () => {
  let schema: unknown = {};
  for (let i = 0; i < 100_000; i += 1) schema = { items: schema };
  const { input, notes } = accept({ ...good, tools: [{ name: 'deep', inputSchema: schema }] });
  assert.equal(input.tools?.[0]?.inputSchema, '{"type":"object"}');
  assert.match(notes[0] ?? '', /nested too deeply/);
});

test('secrets are scrubbed from every text', () => {
  const key = 'sk-proj-Abcdefghij0123456789Abcdefghij0123456789';
  const { input } = accept({
    ...good,
    name: `One ${key}`,
    description: `use ${key}`,
    tools: [{ name: 'a', description: key, inputSchema: { properties: { k: { default: key } } } }],
    launch: { registryType: 'npm', identifier: 'one', args: [`--key=${key}`], env: [] },
  });
  assert.ok(!JSON.stringify(input).includes('Abcdefghij0123456789'));
});

test('anything at all is a server or a reason, never a crash', () => {
  const field = fc.oneof(
    fc.anything(),
    fc.constantFrom('https://x.example', 'stdio', [], [{ name: 'x' }], null),
  );
  const fields = Object.fromEntries(
    [
      'id',
      'name',
      'description',
      'remote_url',
      'transport',
      'tools',
      'tags',
      'popularity',
      'server',
      '_meta',
      'remotes',
      'packages',
      'launch',
      'auth_type',
      'headers',
      'title',
      'version',
    ].map((name) => [name, field]),
  );
  fc.assert(
    fc.property(fc.record(fields, { requiredKeys: [] }), (row) => {
      const plain = JSON.parse(
        JSON.stringify({ id: 'x', name: 'X', ...row }, (_, v: unknown) =>
          typeof v === 'bigint' ? Number(v) : v,
        ),
      ) as unknown;
      const parsed = parseEntry(plain, 'lenient');
      assert.ok(parsed.kind !== 'bad' || parsed.reason.length > 0);
    }),
    { numRuns: runsOf(300) },
  );
});

const official = 'io.modelcontextprotocol.registry/official';

test('a registry entry: streamable-http before sse, its own domain is verified, variables stay', () => {
  const { input } = accept({
    server: {
      $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
      name: 'com.acme/mcp',
      title: 'Acme',
      description: 'acts',
      version: '1.2.0',
      repository: { url: 'https://github.com/acme/mcp', source: 'github' },
      remotes: [
        { type: 'sse', url: 'https://mcp.acme.com/sse' },
        {
          type: 'streamable-http',
          url: 'https://{tenant}.acme.com/mcp',
          headers: [{ name: 'X-Api-Key', isSecret: true, isRequired: true }],
        },
      ],
      packages: [
        {
          registryType: 'oci',
          identifier: 'docker.example/acme/mcp:1.2.0',
          transport: { type: 'stdio' },
          packageArguments: [
            { type: 'positional', value: 'serve' },
            { type: 'named', name: '--mode', default: 'fast' },
            { type: 'positional', valueHint: 'path' },
          ],
        },
      ],
    },
    _meta: { [official]: { status: 'active', isLatest: true } },
  });
  assert.deepEqual(
    [input.id, input.name, input.remoteUrl, input.transport, input.authType, input.verified, input.tools],
    ['com.acme/mcp', 'Acme', 'https://{tenant}.acme.com/mcp', 'streamable-http', 'api_key', true, null],
  );
  assert.deepEqual(input.launch?.args, ['serve', '--mode', 'fast']);
});

test('a bare server.json of 2025-07-09 is read, in its own spelling', () => {
  const { input } = accept({
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json',
    name: 'io.github.someone/thing',
    description: 'things',
    status: 'active',
    version: '0.1.0',
    remotes: [
      {
        transport_type: 'sse',
        url: 'https://thing.example/sse',
        headers: [{ name: 'Authorization', is_secret: true }],
      },
    ],
    packages: [
      {
        registry_type: 'pypi',
        identifier: 'thing',
        runtime_hint: 'uvx',
        environment_variables: [{ name: 'A' }],
      },
    ],
  });
  assert.deepEqual(
    [input.transport, input.authType, input.verified, input.launch?.runtimeHint, input.launch?.env],
    ['sse', 'bearer', false, 'uvx', ['A']],
  );
});

test('tombstones and older versions are told apart from servers', () => {
  const entry = (meta: unknown, server = {}) => ({
    server: { name: 'a/b', ...server },
    _meta: { [official]: meta },
  });
  assert.deepEqual(parseEntry(entry({ status: 'deleted' }), 'lenient'), { kind: 'gone', id: 'a/b' });
  assert.deepEqual(parseEntry(entry({}, { status: 'deleted' }), 'lenient'), { kind: 'gone', id: 'a/b' });
  assert.deepEqual(parseEntry(entry({ isLatest: false }), 'lenient'), { kind: 'superseded', id: 'a/b' });
  assert.deepEqual(parseEntry(entry({ is_latest: false }), 'lenient'), { kind: 'superseded', id: 'a/b' });
  assert.deepEqual(accept(entry({ status: 'deprecated' }), 'lenient').input.tags, ['deprecated']);
});

test('what each user brings: headers and URL with names in braces; what is not said is required and secret', () => {
  const said = {
    headers: { 'X-Api-Key': '{key}', 'X-Region': '{region}' },
    variables: { region: { required: false, secret: false, choices: ['eu', 'us'], default: 'eu' } },
  };
  const { input } = accept({
    ...good,
    remote_url: 'https://{tenant}.one.example/mcp?token={token}',
    user_credentials: said,
  });
  assert.equal(input.authType, 'api_key');
  const open = { description: '', default: null, choices: [] };
  assert.deepEqual(input.userCredentials, {
    headers: { 'x-api-key': '{key}', 'x-region': '{region}' },
    variables: {
      tenant: { ...open, required: true, secret: false },
      token: { ...open, required: true, secret: true },
      key: { ...open, required: true, secret: true },
      region: { ...open, required: false, secret: false, choices: ['eu', 'us'], default: 'eu' },
    },
  });
  assert.equal(accept(good).input.userCredentials, undefined);
  for (const [wrong, detail] of [
    [{ headers: { host: '{x}' } }, /^user_credentials\.headers: "host" is not a header field/],
    [{ headers: { 'x-key': 5 } }, /^user_credentials\.headers\.x-key: expected a text/],
    [{ variables: { x: {} } }, /^user_credentials\.variables\.x: expected a name that stands in braces/],
    [{ headers: { 'x-key': '{a b}' } }, /^user_credentials: expected names in braces/],
    ['key', /^user_credentials: expected an object/],
  ] as const)
    assert.match(refuse({ user_credentials: wrong }), detail);
});

test('the same as a server.json says it, in its own spelling and with the faults of publishers', () => {
  const remote = (fields: Record<string, unknown>) =>
    accept({
      name: 'com.acme/mcp',
      remotes: [{ type: 'streamable-http', url: 'https://acme.com/mcp', ...fields }],
    }).input;
  const bearer = remote({
    headers: [
      {
        name: 'Authorization',
        value: 'Bearer {token}',
        is_secret: true,
        isRequired: true,
        variables: { token: { description: 'From your settings' } },
      },
      { name: 'X-Fixed', value: 'v1' },
      { name: 'Content-Length', isRequired: true },
      { name: 7 },
    ],
  });
  assert.equal(bearer.authType, 'bearer');
  assert.deepEqual(Object.keys(bearer.userCredentials?.headers ?? {}), ['authorization']);
  const { token } = bearer.userCredentials?.variables ?? {};
  assert.deepEqual(token, {
    description: 'From your settings',
    required: true,
    secret: true,
    default: null,
    choices: [],
  });
  const tenant = remote({
    url: 'https://{tenant}.acme.com/mcp',
    variables: { tenant: { description: 'Your tenant', isRequired: true } },
  });
  assert.deepEqual([tenant.authType, tenant.userCredentials?.headers], ['api_key', {}]);
  assert.equal(tenant.userCredentials?.variables.tenant?.secret, false);
  assert.equal(remote({ headers: [{ name: 'X-Fixed', value: 'v1' }] }).userCredentials, undefined);
});
