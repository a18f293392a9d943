import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { blockingClient, pythonPackage, pythonTypes } from '../../clients/generate.ts';
import { apiTypes } from '../../sdk/generate.ts';
import { openApiOfARealApp } from '../support/openapi.ts';
import { root } from '../support/paths.ts';

test('the types of both clients say what the routes say; `node sdk/generate.ts` writes them anew', async () => {
  const document = await openApiOfARealApp();
  const source = readFileSync(`${pythonPackage}_async_client.py`, 'utf8');
  const files: readonly (readonly [file: string, text: string])[] = [
    [join(root, 'sdk/api.ts'), apiTypes(document)],
    [`${pythonPackage}types.py`, pythonTypes(document)],
    [`${pythonPackage}_client.py`, blockingClient(source)],
  ];
  for (const [file, text] of files)
    assert.ok(readFileSync(file, 'utf8') === text, `${file} is stale: run node sdk/generate.ts`);
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
