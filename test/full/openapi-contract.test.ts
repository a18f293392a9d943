import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { adminKey, bootApp, temporaryFolder } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';

const schemathesis = process.env.SCHEMATHESIS ?? 'schemathesis';
const isThere = spawnSync(schemathesis, ['--version']).status === 0;
const options = { skip: isThere ? false : 'needs schemathesis (PyPI)', timeout: 600_000 };

/** What Python's regular expressions cannot say, `\p{…}`; every text of the one in its place fits the one of ours. */
function forPython(document: string): string {
  return document.replaceAll(/"pattern":"[^"]*\\\\p\{[^"]*"/g, '"pattern":"^[!-~]{1,256}$"');
}

test('schemathesis finds no reply that /openapi.json does not have, and none of 500', options, async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_TIERS: 'free=100,enterprise=10000000' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  const { text: document } = await app.call('GET', '/openapi.json', { key: null });
  // It keeps what it found beside where it runs.
  const folder = temporaryFolder(t);
  const file = join(folder, 'openapi.json');
  writeFileSync(file, forPython(document));
  const child = spawn(
    schemathesis,
    [
      ...['run', file, '--url', app.url, '--no-color', '--seed', '1', '--max-examples', '25'],
      ...['-H', `X-API-Key: ${adminKey}`, '--phases', 'examples,coverage,fuzzing'],
      '--checks',
      'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance',
      // A provider's replies are its own.
      ...['--exclude-path-regex', '^/v1/proxy'],
    ],
    { cwd: folder },
  );
  const closed = new Promise((resolve) => child.on('close', resolve));
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await closed, 0, output + errors);
  const [, tested = ''] = /Tested: (\d+)/.exec(output) ?? [];
  assert.ok(Number(tested) >= 100, `${tested} operations were tested`);
});
