import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, withKey } from '../support/conformance.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startEverything } from '../support/mcp-servers.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';

for (const [name, revision] of [['everything','2025-11-25'],['everything','2026-07-28'],['sdk','2025-11-25'],['sdk','2026-07-28']] as const) {
test(`conformance ${name} ${revision}`, async (t) => {
  const { url } = name === 'sdk' ? await startSdkServer(t) : await startEverything(t, 'streamableHttp');
  const app = await bootMcp(t);
  await app.add('one', url);
  const ours = `${await withKey(t, app.url)}/mcp/servers/one`;
  const direct = await judge(t, url, revision);
  const through = await judge(t, ours, revision);
  const names = new Set([...direct.keys(), ...through.keys()]);
  console.log(names.size, [...direct.values()].filter(v=>v==='SUCCESS').length, [...through.values()].filter(v=>v==='SUCCESS').length);
  for (const n of names) if (direct.get(n)!==through.get(n)) console.log(n, '|', direct.get(n), '|', through.get(n));
  assert.ok(true);
});
}
