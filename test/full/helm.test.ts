import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { assertManifests, type Manifest } from '../support/manifests.ts';
import { root } from '../support/paths.ts';

const helm = process.env.HELM ?? 'helm';
const skip =
  spawnSync(helm, ['version']).error === undefined
    ? false
    : 'needs helm, which .ci/run builds where there is Go';
const chart = join(root, 'deploy/helm/mcprank');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

async function rendered(...values: string[]): Promise<Manifest[]> {
  const set = values.flatMap((value) => ['--set', value]);
  const { stdout } = await promisify(execFile)(helm, ['template', 'rank', chart, ...set]);
  return parseAllDocuments(stdout).map((document) => ('toJS' in document ? document.toJS() : null));
}

test('the chart: helm finds no fault in it, and what it makes is what the manifests promise', {
  skip,
}, async () => {
  const lint = await promisify(execFile)(helm, [
    'lint',
    '--strict',
    chart,
    '--set',
    'publicUrl=https://rank.example.com',
  ]);
  assert.match(lint.stdout, / 0 chart\(s\) failed/);
  const all = [
    'publicUrl=https://rank.example.com',
    'ingress.enabled=true',
    'ingress.tlsSecret=tls',
    'networkPolicy.ingressNamespace=ingress',
    'extraCaConfigMap=ca',
    'settings.MCPRANK_LOG=debug',
  ];
  const made = await rendered(...all);
  assertManifests(made, `mcprank:${version}`);
  const { spec } = made.find(({ kind }) => kind === 'Ingress');
  assert.deepEqual(
    [spec.rules[0].host, spec.tls],
    ['rank.example.com', [{ hosts: ['rank.example.com'], secretName: 'tls' }]],
  );
  const [before, after] = [made, await rendered(...all.with(5, 'settings.MCPRANK_LOG=info'))].map(
    (each) =>
      each.find(({ kind }) => kind === 'Deployment').spec.template.metadata.annotations['checksum/config'],
  );
  assert.notEqual(before, after, 'a changed setting replaces the replicas');
});

test('the chart: one replica has no budget that would keep its node, and without a URL nothing is made', {
  skip,
}, async () => {
  const one = await rendered('publicUrl=https://rank.example.com', 'replicas=1');
  assert.deepEqual(one.map(({ kind }) => kind).sort(), ['ConfigMap', 'Deployment', 'Service']);
  await assert.rejects(rendered(), /publicUrl: the URL that others reach it by/);
});
