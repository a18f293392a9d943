import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { bootApp } from '../support/app.ts';

test('the OpenAPI document is valid 3.1 and names exactly the routes that are served', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { body: document } = await app.call('GET', '/openapi.json', { key: null });
  assert.equal(document.openapi, '3.1.0');
  const verdict = await new Validator().validate(structuredClone(document));
  assert.equal(verdict.valid, true, JSON.stringify(verdict.errors));
  const documented = Object.entries(document.paths as Record<string, Record<string, unknown>>).flatMap(
    ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = app.routes.map(
    ({ method, url }) => `${method} ${url.replace(/:([a-z_]+)/g, '{$1}').replace('*', '{path}')}`,
  );
  assert.deepEqual(documented.sort(), served.sort());
});
