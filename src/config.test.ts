import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Problem } from './base/problem.ts';
import { describeConfig, parseConfig, settings, unknownSettings } from './config.ts';
import { parseAllowRules } from './outbound/connect/address.ts';

const key = `sk_mcp_rank_${'0'.repeat(32)}`;

function faultsOf(env: Record<string, string>): string {
  try {
    parseConfig(env, () => {
      throw Object.assign(new Error('no'), { code: 'ENOENT' });
    });
  } catch (error) {
    assert.ok(error instanceof Problem && error.kind === 'setup');
    return error.detail;
  }
  assert.fail('the configuration was accepted');
}

test('an empty environment is a working configuration', () => {
  const config = parseConfig({});
  assert.equal(config.port, 8787);
  assert.equal(config.tiers.get('pro'), 1000);
  assert.equal(config.databaseUrl, null);
});

test('all faults are reported at once, each with name, expectation and example', () => {
  const text = faultsOf({
    MCPRANK_PORT: '70000',
    MCPRANK_SYNC: 'yes',
    DATABASE_URL: 'mysql://x',
    MCPRANK_TIERS: 'free=0',
    MCPRANK_ADMIN_KEY: 'hunter2',
    MCPRANK_ALLOW_UPSTREAMS: 'a b',
  });
  for (const name of [
    'MCPRANK_PORT',
    'MCPRANK_SYNC',
    'DATABASE_URL',
    'MCPRANK_TIERS',
    'MCPRANK_ADMIN_KEY',
    'MCPRANK_ALLOW_UPSTREAMS',
  ]) {
    const { expected, example } = settings[name] ?? assert.fail(name);
    assert.ok(text.includes(`${name}: expected ${expected}, for example ${example}`), name);
  }
  assert.ok(!text.includes('hunter2'), 'a faulty secret is not echoed');
});

test('hosts and networks that are none are a fault of the setting, not of the start', () => {
  for (const faulty of [
    '10.0.0.0/33',
    '999.1.1.1/8',
    '::1/129',
    'host:99999',
    '[::zz]',
    '[1.2.3.4:5]:80',
    '1.2.3/8',
    'http://x',
  ])
    assert.match(
      faultsOf({ MCPRANK_ALLOW_UPSTREAMS: `localhost,${faulty}` }),
      /^\S.*\n {2}MCPRANK_ALLOW_UPSTREAMS: expected hosts, host:port or CIDR with commas, .*$/,
      faulty,
    );
  const good = [
    'localhost',
    '10.0.0.0/8',
    'fd00::/8',
    'mcp.internal:8080',
    '[::1]',
    '[::1]:80',
    '127.0.0.1:443',
  ];
  const { allowUpstreams } = parseConfig({ MCPRANK_ALLOW_UPSTREAMS: good.join(', ') });
  assert.deepEqual(allowUpstreams, good);
  parseAllowRules(allowUpstreams);
});

test('the public URL is a host name and nothing below it: pages, cookies and documents stand at its root', () => {
  assert.equal(
    parseConfig({ MCPRANK_PUBLIC_URL: 'https://rank.example.com/' }).publicUrl,
    'https://rank.example.com',
  );
  for (const faulty of [
    'https://example.com/rank',
    'https://example.com/rank/',
    'https://example.com/?x',
    'https://me@example.com',
    'ftp://example.com',
  ])
    assert.match(
      faultsOf({ MCPRANK_PUBLIC_URL: faulty }),
      /MCPRANK_PUBLIC_URL: expected an http\(s\) URL without path and query/,
      faulty,
    );
});

test('PostgreSQL may be reached by a socket', () => {
  for (const url of [
    'postgres://mcprank@/rank?host=/run/postgresql',
    'postgres:///rank?host=/run/postgresql',
    'postgresql://me:p%40ss@localhost/rank?host=/run/postgresql',
    'postgres://me@db:5432/rank?options=-csearch_path%3Done',
  ])
    assert.equal(parseConfig({ DATABASE_URL: url }).databaseUrl?.reveal(), url);
});

test('a secret may come from a file, and is printed nowhere', () => {
  const config = parseConfig({ MCPRANK_ADMIN_KEY_FILE: '/run/secrets/key' }, (path) =>
    path === '/run/secrets/key' ? `${key}\n` : '',
  );
  assert.equal(config.adminKey?.reveal(), key);
  for (const shown of [
    inspect(config, { depth: 9 }),
    JSON.stringify(config),
    JSON.stringify(describeConfig(config)),
    `${config.adminKey}`,
  ])
    assert.ok(!shown.includes(key));
  assert.match(
    faultsOf({ MCPRANK_ADMIN_KEY_FILE: '/nowhere' }),
    /MCPRANK_ADMIN_KEY_FILE: \/nowhere cannot be read \(ENOENT\)/,
  );
  assert.match(faultsOf({ MCPRANK_ADMIN_KEY: key, MCPRANK_ADMIN_KEY_FILE: '/x' }), /not both/);
});

test('an outgoing proxy is read in both spellings, the lower one first, and its password is printed nowhere', () => {
  const config = parseConfig({
    HTTPS_PROXY: 'http://ignored:1',
    https_proxy: 'http://me:s3cr3t@proxy.test:3128',
    HTTP_PROXY: 'proxy.test:8080',
    no_proxy: '.corp.test,10.1.2.3:8443',
  });
  assert.equal(config.httpsProxy?.reveal(), 'http://me:s3cr3t@proxy.test:3128/');
  assert.equal(config.httpProxy?.reveal(), 'http://proxy.test:8080/');
  assert.equal(config.noProxy, '.corp.test,10.1.2.3:8443');
  assert.ok(!`${inspect(config, { depth: 9 })}${JSON.stringify(describeConfig(config))}`.includes('s3cr3t'));
  for (const faulty of [
    'socks5://me:s3cr3t@proxy.test',
    'http://me:s3cr3t@proxy.test/path',
    'http://[s3cr3t',
  ])
    assert.ok(!faultsOf({ HTTPS_PROXY: faulty }).includes('s3cr3t'));
});

test('whatever the environment holds, the answer is a configuration or a list of faults', () => {
  const anyEnv = fc.dictionary(fc.constantFrom(...Object.keys(settings)), fc.string());
  fc.assert(
    fc.property(anyEnv, (env) => {
      try {
        assert.ok(Object.isFrozen(parseConfig(env)));
      } catch (error) {
        assert.ok(error instanceof Problem && error.kind === 'setup', String(error));
      }
    }),
  );
});

test('a mistyped name of ours is noticed; others and those of later parts are left alone', () => {
  assert.deepEqual(
    unknownSettings({ MCPRANK_PROT: '1', MCPRANK_PORT: '1', MCPRANK_VAULT_KEYS: 'x', PATH: '' }),
    ['MCPRANK_PROT'],
  );
});
