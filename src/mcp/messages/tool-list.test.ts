import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import type { ServerRecord } from '../../catalog/catalog.ts';
import { createMirrors } from './tool-list.ts';

const view = (value: unknown) => scanJson(Buffer.from(JSON.stringify(value)));
const inputSchema = view({
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
});
const record = (revision: number) => ({ id: 's', revision, tools: [] }) as unknown as ServerRecord;
const params = { name: 'go', arguments: view({ region: 'eu' }) };

test('what a server said about mirrored arguments outlives a new record of the same revision, and no longer', () => {
  const mirrors = createMirrors();
  assert.equal(mirrors.headers(record(1), params), undefined);
  mirrors.learn(record(1), [{ name: 'go', description: undefined, inputSchema, view: inputSchema }]);
  assert.deepEqual(Object.values(mirrors.headers(record(1), params) ?? {}), ['eu']);
  assert.equal(mirrors.headers(record(2), params), undefined);
});
