import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { settings } from '../../src/config.ts';
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
  const { spec } = kind('Deployment').spec.template;
  const [container] = spec.containers;
  assert.equal(spec.securityContext.runAsNonRoot, true);
  assert.ok(spec.securityContext.runAsUser > 0);
  assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
  assert.equal(spec.automountServiceAccountToken, false);
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  assert.equal(container.image, `mcprank:${version}`);
  assert.match(container.image, pinned);
  assert.equal(container.livenessProbe.httpGet.path, '/healthz');
  assert.equal(container.readinessProbe.httpGet.path, '/readyz');
  assert.equal(container.startupProbe.httpGet.path, '/healthz');
  assert.ok(container.resources.limits.memory && container.resources.requests.cpu);
  // Requests in flight have ten seconds after the balancers heard of the end.
  assert.ok(spec.terminationGracePeriodSeconds > container.lifecycle.preStop.sleep.seconds + 10);
  const label = kind('Deployment').spec.selector.matchLabels;
  assert.deepEqual(kind('Service').spec.selector, label);
  assert.deepEqual(kind('PodDisruptionBudget').spec.selector.matchLabels, label);
  assert.ok(kind('PodDisruptionBudget').spec.minAvailable < kind('Deployment').spec.replicas);
  assert.deepEqual(kind('NetworkPolicy').spec.podSelector.matchLabels, label);
  for (const name of Object.keys({ ...kind('ConfigMap').data, ...kind('Secret').stringData }))
    assert.ok(name in settings, name);
  for (const value of Object.values(kind('Secret').stringData as Record<string, string>))
    assert.ok(!/^sk_mcp_rank_[0-9a-f]{32}$/.test(value));
});
