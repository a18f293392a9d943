import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { temporaryFolder } from '../support/app.ts';
import { root } from '../support/paths.ts';

type Step = { readonly name?: string; readonly run?: string };
type Workflow = {
  readonly jobs: {
    readonly publish: {
      readonly permissions: Readonly<Record<string, string>>;
      readonly steps: readonly Step[];
    };
  };
};

const text = readFileSync(join(root, '.github/workflows/release.yaml'), 'utf8');
const { permissions, steps } = (parse(text) as Workflow).jobs.publish;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;

test('the release: notes are those of the tag’s version, and another tag publishes nothing', (t) => {
  const folder = temporaryFolder(t);
  const check = steps.find(({ name }) => name?.startsWith('The tag is the version'))?.run ?? '';
  const tried = (tag: string) =>
    spawnSync('bash', ['-ec', check], {
      cwd: root,
      env: { PATH: process.env.PATH, GITHUB_REF_NAME: tag, RUNNER_TEMP: folder },
    }).status;
  assert.equal(tried('v0.0.1'), 1);
  assert.equal(tried(`v${manifest.version}`), 0);
  const notes = readFileSync(join(folder, 'notes.md'), 'utf8');
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const [, body] = changelog.split(new RegExp(`^## ${manifest.version} .*\n`, 'm'));
  assert.equal(notes, body?.split(/^## /m)[0]);
});

test('the release: everything is tested before it is published, with provenance and without a token that is kept', () => {
  const order = ['bash .ci/run', 'npm publish', 'gh release create'].map((command) =>
    steps.findIndex(({ run }) => run?.includes(command)),
  );
  assert.ok(!order.includes(-1), `${order}`);
  assert.deepEqual(order, [...order].sort());
  assert.equal(permissions['id-token'], 'write');
  assert.doesNotMatch(text, /secrets\./);
  assert.deepEqual(manifest.publishConfig, { access: 'public', provenance: true });
  assert.equal(manifest.private, undefined);
});
