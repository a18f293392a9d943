import assert from 'node:assert/strict';
import { settings } from '../../src/config.ts';

// biome-ignore lint/suspicious/noExplicitAny: documents of other people's schemas, read by what is asserted of them
export type Manifest = any;

/** Read by Node itself, not by us. */
const ofNode = ['NODE_EXTRA_CA_CERTS'];

/** What docs/container.md promises of every way to a cluster. */
export function assertManifests(manifests: readonly Manifest[], image: string): void {
  const kind = (name: string): Manifest => manifests.find((each) => each.kind === name);
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
  assert.equal(container.image, image);
  assert.equal(container.livenessProbe.httpGet.path, '/healthz');
  assert.equal(container.readinessProbe.httpGet.path, '/readyz');
  assert.equal(container.startupProbe.httpGet.path, '/healthz');
  assert.ok(container.resources.limits.memory && container.resources.requests.cpu);
  // Requests in flight have ten seconds after the balancers heard of the end.
  assert.ok(spec.terminationGracePeriodSeconds > container.lifecycle.preStop.sleep.seconds + 10);
  const label = kind('Deployment').spec.selector.matchLabels;
  assert.deepEqual(kind('Deployment').spec.template.metadata.labels, label);
  assert.deepEqual(kind('Service').spec.selector, label);
  assert.deepEqual(kind('PodDisruptionBudget').spec.selector.matchLabels, label);
  assert.ok(kind('PodDisruptionBudget').spec.minAvailable < kind('Deployment').spec.replicas);
  assert.deepEqual(kind('NetworkPolicy').spec.podSelector.matchLabels, label);
  const mounted = new Set(spec.volumes.map(({ name }: Manifest) => name));
  for (const { name } of container.volumeMounts) assert.ok(mounted.has(name), name);
  for (const name of Object.keys({ ...kind('ConfigMap').data, ...kind('Secret')?.stringData }))
    assert.ok(name in settings || ofNode.includes(name), name);
}
