import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../base/problem.ts';
import { describeLocal, parseMcpConfig, trustedHosts } from './mcp-config.ts';

const parse = (mcpServers: unknown) => parseMcpConfig(JSON.stringify({ mcpServers }));

test('a desktop client’s file is read as it is', () => {
  const servers = parse({
    files: { command: 'npx', args: ['-y', 'files', '/tmp'], env: { TOKEN: 'secret-env' }, cwd: '/srv' },
    remote: {
      url: 'http://10.0.0.5:9000/mcp?key=secret-query',
      headers: { Authorization: 'Bearer secret-header' },
    },
    old: { type: 'sse', url: 'https://old.example/sse' },
    off: { command: 'x', disabled: true },
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
  assert.deepEqual(trustedHosts(servers), ['10.0.0.5:9000', 'old.example:443']);
  const told = JSON.stringify(servers.map(describeLocal));
  assert.ok(told.includes('"TOKEN"'));
  assert.doesNotMatch(told, /secret/);
  const [changed] = parse({
    files: { command: 'npx', args: ['-y', 'files', '/tmp'], env: { TOKEN: 'new' } },
  });
  assert.notEqual(changed?.credentialVersion, servers[0]?.credentialVersion);
});

test('all faults of a file are told at once, without its secrets', () => {
  const fault = (act: () => unknown, pattern: RegExp) =>
    assert.throws(
      act,
      (error) => error instanceof Problem && error.kind === 'setup' && pattern.test(error.detail),
    );
  fault(() => parseMcpConfig('{'), /not JSON/);
  fault(() => parseMcpConfig('{"servers":{}}'), /mcpServers/);
  const bad = {
    both: { command: 'x', url: 'https://a.example' },
    neither: {},
    args: { command: 'x', args: 'one text' },
    env: { command: 'x', env: { A: 1 } },
    url: { url: 'ftp://a.example' },
    user: { url: 'https://u:secret-password@a.example' },
    header: { url: 'https://a.example', headers: { 'a b': 'x' } },
    split: { url: 'https://a.example', headers: { a: 'x\r\nb: secret-y' } },
    host: { url: 'https://a.example', headers: { Host: 'b.example' } },
    text: 'x',
  };
  fault(
    () => parse(bad),
    new RegExp(
      Object.keys(bad)
        .map((name) => `${name}: [^]*`)
        .join(''),
    ),
  );
  assert.throws(
    () => parse(bad),
    (error) => !/secret/.test(String(error)),
  );
});
