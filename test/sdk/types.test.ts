import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { apiTypes } from '../../sdk/generate.ts';
import { openApiOfARealApp } from '../support/openapi.ts';
import { root } from '../support/paths.ts';

test('sdk/api.ts says what the routes say; `node sdk/generate.ts` writes it anew', async () => {
  const written = readFileSync(join(root, 'sdk/api.ts'), 'utf8');
  assert.ok(written === apiTypes(await openApiOfARealApp()), 'sdk/api.ts is stale: run node sdk/generate.ts');
});

test('the SDK has no dependency, takes nothing from the server, and needs nothing that only Node has', () => {
  const files = readdirSync(join(root, 'sdk'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'generate.ts',
  );
  assert.ok(files.length > 5);
  for (const file of files) {
    const text = readFileSync(join(root, 'sdk', file), 'utf8');
    for (const [, from = ''] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      const target = join('/sdk', file, '..', from);
      assert.ok(from.startsWith('.') && target.startsWith('/sdk/'), `${file} imports ${from}`);
    }
    assert.doesNotMatch(text, /\b(process|Buffer|__dirname|require)\b[.(]/, file);
  }
});
