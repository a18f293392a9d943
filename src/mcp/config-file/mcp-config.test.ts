import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../base/problem.ts';
import { LocalServerList } from './local-server-list.ts';
import { type ConfigWarning, describeLocal, parseMcpConfig } from './mcp-config.ts';

type Environment = Record<string, string | undefined>;

/** What is read of a text, and what is told of what is not. */
function read(text: string | Buffer, environment: Environment = {}) {
  const warnings: ConfigWarning[] = [];
  const warn = (warning: ConfigWarning) => void warnings.push(warning);
  return {
    servers: parseMcpConfig(text, { file: '/home/me/.cursor/mcp.json', environment, warn }),
    warnings,
  };
}
const parse = (mcpServers: unknown, environment: Environment = {}) =>
  read(JSON.stringify({ mcpServers }), environment);
/** The one server that these entries are, or why there is none. */
function one(entry: unknown, environment: Environment = {}) {
  const { servers, warnings } = parse({ it: entry }, environment);
  return servers[0] ?? warnings.map(({ reason }) => reason).join();
}
const variable = (text: string) => `$\{${text}}`;

test('a desktop client’s file is read as it is', () => {
  const { servers } = parse({
    files: { command: 'npx', args: ['-y', 'files', '/tmp'], env: { TOKEN: 'secret-env' }, cwd: '/srv' },
    remote: {
      url: 'http://10.0.0.5:9000/mcp?key=secret-query',
      headers: { Authorization: 'Bearer secret-header' },
    },
    old: { type: 'sse', url: 'https://old.example/sse' },
    off: { command: 'x', disabled: true },
    away: { url: 'https://away.example', enabled: false },
  });
  assert.deepEqual(
    servers.map(({ id, transport }) => [id, transport]),
    [
      ['files', 'stdio'],
      ['remote', 'streamable-http'],
      ['old', 'sse'],
    ],
  );
  assert.deepEqual(servers[1]?.headers, { authorization: 'Bearer secret-header' });
  const list = new LocalServerList(servers);
  assert.ok(list.trusts('10.0.0.5', 9000) && list.trusts('old.example', 443) && !list.trusts('10.0.0.5', 80));
  const told = JSON.stringify(servers.map(describeLocal));
  assert.ok(told.includes('"TOKEN"'));
  assert.doesNotMatch(told, /secret/);
  const [changed] = parse({
    files: { command: 'npx', args: ['-y', 'files', '/tmp'], env: { TOKEN: 'new' } },
  }).servers;
  assert.notEqual(changed?.credentialVersion, servers[0]?.credentialVersion);
});

test('every client keeps its servers under a name of its own, and says in its own way where they are', () => {
  const entry = { url: 'https://a.example/mcp' };
  for (const file of [
    { mcpServers: { it: entry } },
    { servers: { it: entry } },
    { inputs: [], servers: { it: entry } },
    { context_servers: { it: entry } },
    { mcp: { it: entry } },
    { mcp: { servers: { it: entry } } },
    { mcpServers: null, servers: { it: entry }, theme: 'dark' },
    { it: entry },
  ])
    assert.deepEqual(
      read(JSON.stringify(file)).servers.map(({ id, url }) => [id, url]),
      [['it', entry.url]],
      JSON.stringify(file),
    );
  assert.deepEqual(parse({}).servers, []);
  for (const [field, transport] of [
    [{ serverUrl: entry.url }, 'streamable-http'],
    [{ httpUrl: entry.url }, 'streamable-http'],
    [{ url: entry.url, type: 'http' }, 'streamable-http'],
    [{ url: entry.url, type: 'streamableHttp' }, 'streamable-http'],
    [
      { url: entry.url, transport: 'streamable-http', command: null, args: null, env: null, headers: null },
      'streamable-http',
    ],
    [
      { url: ` ${entry.url}\n`, type: 'remote', command: '', enabled: true, disabled: false },
      'streamable-http',
    ],
    [{ url: entry.url, type: 'sse' }, 'sse'],
    [{ url: entry.url, transport: 'SSE' }, 'sse'],
    [{ url: entry.url, httpUrl: null, transportType: 'sse' }, 'sse'],
    [{ command: 'x', url: null }, 'stdio'],
    [{ command: 'x', url: '', type: 'stdio', cwd: null }, 'stdio'],
    [{ command: 'x', url: 'https://a.example', type: 'stdio' }, 'stdio'],
    [{ command: 'x', url: 'https://a.example/mcp', type: 'http' }, 'streamable-http'],
  ] as const) {
    const found = one(field);
    assert.ok(typeof found !== 'string', `${JSON.stringify(field)}: ${JSON.stringify(found)}`);
    assert.equal(found.transport, transport);
    assert.equal(found.url, transport === 'stdio' ? null : entry.url);
  }
});

test('a program is a command with arguments, however they are written; numbers and truth values are texts', () => {
  for (const entry of [
    { command: 'npx', args: ['-y', 3000, true] },
    { command: ['npx', '-y', 3000, true] },
    { command: { path: 'npx', args: ['-y', '3000', 'true'] } },
    { type: 'local', command: ['npx', '-y'], args: [3000, 'true'] },
  ]) {
    const found = one(entry);
    assert.ok(typeof found !== 'string', String(found));
    assert.deepEqual([found.program?.command, found.program?.args], ['npx', ['-y', '3000', 'true']]);
  }
  const found = one({ command: 'x', env: { PORT: 3000, DEBUG: false, EMPTY: '', NONE: null } });
  assert.ok(typeof found !== 'string');
  assert.deepEqual(found.program?.env, { PORT: '3000', DEBUG: 'false', EMPTY: '' });
  const named = one({ command: 'x', environment: { A: 'b' }, shared: true });
  assert.ok(typeof named !== 'string');
  assert.deepEqual([named.program?.env, named.program?.isShared], [{ A: 'b' }, true]);
});

test('placeholders are values of the environment in every field; one that is not set is a fault that names it', () => {
  const environment = { TOKEN: 'secret\n', HOST: 'a.example', EMPTY: '', HOME: '/home/me', LEFT: 'x' };
  const remote = one(
    {
      url: `https://${variable('HOST')}/${variable('env:LEFT')}/mcp?key=${variable('NONE:-d')}`,
      headers: { Authorization: `Bearer ${variable('TOKEN')}`, 'X-Other': variable('EMPTY:-filled') },
    },
    environment,
  );
  assert.ok(typeof remote !== 'string', String(remote));
  assert.equal(remote.url, 'https://a.example/x/mcp?key=d');
  assert.deepEqual(remote.headers, { authorization: 'Bearer secret', 'x-other': 'filled' });
  assert.equal(
    JSON.stringify(describeLocal(remote)).includes('/x/'),
    false,
    'what came out of it is not stored',
  );
  const program = one(
    {
      command: `${variable('HOME')}/bin/x`,
      args: [
        `a=${variable(`NONE:-${variable('HOST:-z')}`)}`,
        `${variable('EMPTY')}|`,
        variable('a b'),
        '$HOME',
        variable('NONE-u'),
      ],
      env: { FOLDER: variable('workspaceFolder'), HOMES: variable('userHome') },
      cwd: variable('env:HOME'),
    },
    environment,
  );
  assert.ok(typeof program !== 'string', String(program));
  assert.deepEqual(program.program, {
    command: '/home/me/bin/x',
    args: ['a=a.example', '|', variable('a b'), '$HOME', 'u'],
    env: { FOLDER: '/home/me', HOMES: '/home/me' },
    cwd: '/home/me',
    isShared: false,
    isOfCaller: false,
  });
  assert.match(
    String(one({ command: 'x', env: { A: variable('MISSING') } }, environment)),
    /^env\.A: .*MISSING/,
  );
  assert.match(String(one({ command: 'x', args: ['-k', variable('env:MISSING')] })), /^args\[1\]: .*MISSING/);
  assert.match(String(one({ url: `https://${variable('MISSING')}/` })), /^url: .*MISSING/);
  assert.match(
    String(one({ url: 'https://a.example', headers: { X: variable('MISSING') } })),
    /^headers\.X: .*MISSING/,
  );
  assert.match(String(one({ command: 'x', env: { A: variable('input:key') } })), /^env\.A: .*input:key/);
});

test('placeholders for the caller are a program’s only', () => {
  const found = one({ command: 'x', env: { FILE: `/data/${variable('developer')}.json` } });
  assert.ok(typeof found !== 'string');
  assert.equal(found.program?.isOfCaller, true);
  assert.match(String(one({ url: `https://a.example/${variable('developer')}` })), /^url: /);
  assert.match(String(one({ url: 'https://a.example', headers: { X: variable('user') } })), /^headers\.X: /);
});

test('what the transport says itself is left out of the headers, with a warning, and the server serves', () => {
  const headers = {
    Accept: 'text/plain',
    'content-type': 'x',
    Host: 'b.example',
    'MCP-Protocol-Version': 'x',
    'X-Key': 5,
    Off: null,
  };
  const { servers, warnings } = parse({ it: { url: 'https://a.example', headers } });
  assert.deepEqual(servers[0]?.headers, { 'x-key': '5' });
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]?.isLeftOut, false);
  assert.match(warnings[0]?.reason ?? '', /Accept.*content-type.*Host/);
});

test('an entry that is not understood is left out with one warning that names it and its field, and no secret; the others serve', () => {
  const bad = {
    both: { command: 'x', url: 'https://a.example' },
    neither: {},
    nothing: { command: null, url: null },
    socket: { type: 'websocket', url: 'https://a.example' },
    args: { command: 'x', args: 'one text' },
    nested: { command: 'x', args: ['a', ['b']] },
    env: { command: 'x', env: { A: { b: 1 } } },
    envs: { command: 'x', env: 'A=1' },
    nul: { command: 'x', env: { A: 'secret-a\0' } },
    url: { url: 'ftp://a.example' },
    user: { url: 'https://u:secret-password@a.example' },
    header: { url: 'https://a.example', headers: { 'a b': 'x' } },
    split: { url: 'https://a.example', headers: { a: 'x\r\nb: secret-y' } },
    text: 'x',
    list: [1],
    nil: null,
  };
  const { servers, warnings } = parse({ ...bad, good: { command: 'x' } });
  assert.deepEqual(
    servers.map(({ id }) => id),
    ['good'],
  );
  assert.deepEqual(
    warnings.map(({ entry, isLeftOut }) => [entry, isLeftOut]),
    Object.keys(bad).map((name) => [name, true]),
  );
  assert.doesNotMatch(JSON.stringify(warnings), /secret/);
});

test('comments, trailing commas, byte-order marks and UTF-16 are read; a fault of JSON says file, line and column', () => {
  const text = `// mine
  { /* all
       of them */ "mcpServers": { // "old": {},
    "it": { "command": "x", "args": ["//no", "/* comment */", "a,]",], "env": {"A": "\\"//",}, },
  }, } // end`;
  const [it] = read(text).servers;
  assert.deepEqual(it?.program?.args, ['//no', '/* comment */', 'a,]']);
  assert.deepEqual(it?.program?.env, { A: '"//' });
  for (const bytes of [
    `\ufeff${text}`,
    Buffer.from(`\ufeff${text}`),
    Buffer.from(`\ufeff${text}`, 'utf16le'),
  ])
    assert.equal(read(bytes).servers.length, 1);
  const faults: [string, RegExp][] = [
    ['', /mcp\.json:1:1:/],
    ['{', /mcp\.json:1:2:/],
    ['{\n  // a comment\n  "mcpServers": {"it": {"command": secret}}}', /mcp\.json:3:36:/],
    ['{"a": 1,,}', /mcp\.json:1:10:/],
    ['{"a": "secret\n"}', /mcp\.json:1:14:/],
    ['{"ä": 1} x', /mcp\.json:1:10:/],
  ];
  for (const [broken, place] of faults)
    assert.throws(
      () => read(broken),
      (error) =>
        error instanceof Problem &&
        error.kind === 'setup' &&
        place.test(error.detail) &&
        !/secret/.test(error.detail),
      broken,
    );
  for (const other of ['[]', '"x"', 'null', '{}', '{"a":1}', '{"mcpServers":[]}', '{"mcpServers":"x"}'])
    assert.throws(() => read(other), /mcpServers/, other);
});

test('the revision to speak is one of the specification’s, or left to the server with a warning', () => {
  const revisions = [undefined, null, '2025-11-25', '2026-07-28', '2030-01-01', 3].map((revision) => {
    const { servers, warnings } = parse({ it: { command: 'x', revision } });
    return [servers[0]?.revision, warnings.length];
  });
  assert.deepEqual(revisions, [
    [null, 0],
    [null, 0],
    ['2025-11-25', 0],
    ['2026-07-28', 0],
    [null, 1],
    [null, 1],
  ]);
});
