import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse, parseAllDocuments } from 'yaml';
import { settings } from '../../src/config.ts';
import { assertManifests } from '../support/manifests.ts';
import { root } from '../support/paths.ts';

// biome-ignore lint/suspicious/noExplicitAny: documents of other people's schemas, read by what is asserted of them
type Yaml = any;
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const folder = 'deploy/kubernetes';
const manifests: Yaml[] = readdirSync(join(root, folder))
  .sort()
  .flatMap((file) =>
    parseAllDocuments(read(`${folder}/${file}`)).map((document) => {
      assert.deepEqual('errors' in document ? document.errors : [], [], file);
      return 'toJS' in document ? document.toJS() : null;
    }),
  );
const kind = (name: string): Yaml => manifests.find((each) => each.kind === name);
const version = (JSON.parse(read('package.json')) as { version: string }).version;
/** A version, and not one that moves under one's feet. */
const pinned = /^[a-z0-9./-]+:\d+(\.\d+)+[a-z0-9.-]*$/;

test('the image: two stages, pinned, a number for a user, a health check that needs nothing but node', () => {
  const text = read('Dockerfile');
  const stages = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image);
  assert.equal(stages.length, 2);
  for (const image of stages) assert.match(image, pinned);
  // The runtime that the tests run on is the one in the image.
  assert.ok(stages.every((image) => image.startsWith(`node:${process.version.slice(1)}-`)));
  const last = text.slice(text.lastIndexOf('FROM '));
  assert.match(last, /^USER (?!0\b)\d+:\d+$/m);
  assert.ok(last.indexOf('USER') < last.indexOf('ENTRYPOINT'));
  assert.match(last, /^HEALTHCHECK [\s\S]*"node", "-e", .*healthz/m);
  assert.doesNotMatch(text, /\bADD\b|curl|apt-get|sk_mcp_rank_/);
  for (const name of ['.git', '**/node_modules', '.mcprank', 'test'])
    assert.ok(read('.dockerignore').split('\n').includes(name), name);
});

test('compose.yaml: no root, read-only, bounded, healthy before it is depended on, no secret in it', () => {
  const { services } = parse(read('compose.yaml')) as Yaml;
  const { mcprank, postgres, valkey } = services;
  assert.equal(mcprank.image, `mcprank:${version}`);
  for (const service of [mcprank, valkey]) {
    assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(service.read_only, true);
    assert.deepEqual(service.cap_drop, ['ALL']);
  }
  for (const service of [mcprank, postgres, valkey]) {
    assert.match(service.image, pinned);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
  }
  assert.ok(postgres.healthcheck.test.length > 0 && valkey.healthcheck.test.length > 0);
  assert.deepEqual(
    Object.values(mcprank.depends_on as Record<string, Yaml>).map(({ condition }) => condition),
    ['service_healthy', 'service_healthy'],
  );
  assert.ok(mcprank.mem_limit && mcprank.pids_limit);
  assert.match(mcprank.ports[0], /^127\.0\.0\.1:/);
  for (const [name, value] of Object.entries(mcprank.environment as Record<string, string>)) {
    assert.ok(name in settings, name);
    if (/KEY|DATABASE/.test(name)) assert.match(value, /\$\{\w+:\?/, `${name} has to be given`);
  }
  assert.match(postgres.environment.POSTGRES_PASSWORD, /^\$\{\w+:\?/);
});

test('the manifests: no root, read-only, probes, a budget, bounds, settings that exist', () => {
  assertManifests(manifests, `mcprank:${version}`);
  assert.match(kind('Deployment').spec.template.spec.containers[0].image, pinned);
  for (const value of Object.values(kind('Secret').stringData as Record<string, string>))
    assert.ok(!/^sk_mcp_rank_[0-9a-f]{32}$/.test(value));
});

test('the chart is of this version, and every text of it is YAML once it is filled in', () => {
  const chart = parse(read('deploy/helm/mcprank/Chart.yaml')) as Yaml;
  assert.deepEqual([chart.version, chart.appVersion], [version, version]);
  assert.equal((parse(read('deploy/helm/mcprank/values.yaml')) as Yaml).existingSecret, 'mcprank');
});

test('the unit for systemd: an account of its own, nothing written but its state, the command of the package', () => {
  const unit = read('deploy/systemd/mcprank.service');
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];
  for (const name of ['DynamicUser', 'NoNewPrivileges', 'PrivateTmp', 'ProtectHome'])
    assert.equal(value(name), 'yes');
  assert.deepEqual([value('ProtectSystem'), value('CapabilityBoundingSet')], ['strict', '']);
  assert.equal(value('Environment'), `MCPRANK_DATA_DIR=/var/lib/${value('StateDirectory')}`);
  const { bin, name, scripts } = JSON.parse(read('package.json')) as Yaml;
  const start = scripts.start
    .replace('node ', '/usr/bin/node ')
    .replace(bin.mcprank, `/opt/mcprank/node_modules/${name}/${bin.mcprank}`);
  assert.equal(value('ExecStart'), start);
});

test('every setting that a file of deploy/ names exists', () => {
  const files = readdirSync(join(root, 'deploy'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  for (const { parentPath, name } of files)
    for (const [setting] of readFileSync(join(parentPath, name), 'utf8').matchAll(
      /\bMCPRANK_[A-Z_]*[A-Z]\b/g,
    ))
      assert.ok(setting in settings, `${name}: ${setting}`);
  assert.ok(files.length > 12);
});

/** What of them a file of Traefik 3's dynamic configuration may say here; it refuses to start with any other name. */
const closed = { additionalProperties: false };
const traefikFile = Type.Object(
  {
    http: Type.Object(
      {
        routers: Type.Record(
          Type.String(),
          Type.Object(
            {
              rule: Type.String(),
              service: Type.String(),
              entryPoints: Type.Array(Type.String()),
              tls: Type.Object({ certResolver: Type.String() }, closed),
            },
            closed,
          ),
        ),
        services: Type.Record(
          Type.String(),
          Type.Object(
            {
              loadBalancer: Type.Object(
                {
                  servers: Type.Array(Type.Object({ url: Type.String({ format: 'url' }) }, closed), {
                    minItems: 1,
                  }),
                  passHostHeader: Type.Boolean(),
                  responseForwarding: Type.Object(
                    { flushInterval: Type.String({ pattern: '^-?[0-9]+ms$' }) },
                    closed,
                  ),
                },
                closed,
              ),
            },
            closed,
          ),
        ),
      },
      closed,
    ),
  },
  closed,
);

test('Traefik: names that it knows, the host as it was asked for, streams as they come, no metrics', () => {
  const file = parse(read('deploy/traefik/mcprank.yaml')) as Yaml;
  assert.deepEqual([...Value.Errors(traefikFile, file)], []);
  const { routers, services } = file.http;
  assert.match(routers.mcprank.rule, /^Host\(`rank\.example\.com`\) && !Path\(`\/metrics`\)$/);
  const { passHostHeader, responseForwarding } = services[routers.mcprank.service].loadBalancer;
  assert.deepEqual([passHostHeader, responseForwarding.flushInterval], [true, '-1ms']);
});
