import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, withKey } from '../support/conformance.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startEverything } from '../support/mcp-servers.ts';

const holds = (verdict: string | undefined) => verdict !== undefined && /^(SUCCESS ?)+$/.test(verdict);
const fails = (verdict: string | undefined) => verdict?.includes('FAILURE') === true;

for (const server of ['everything', 'sdk'] as const)
  for (const revision of ['2025-11-25', '2026-07-28'])
    test(`conformance to ${revision}, ${server}: what holds directly holds through us`, async (t) => {
      const { url } = server === 'sdk' ? await startSdkServer(t) : await startEverything(t, 'streamableHttp');
      const app = await bootMcp(t);
      await app.add('io.example/one', url);
      const direct = await judge(t, url, revision);
      const through = await judge(t, `${await withKey(t, app.url)}/mcp/servers/io.example%2Fone`, revision);
      assert.ok(direct.size > 50, `the referee ran: ${direct.size} checks`);
      const lost = [...direct].filter(([name, verdict]) => holds(verdict) && !holds(through.get(name)));
      assert.deepEqual(lost, [], 'nothing is lost through us');
      const worse = [...through].filter(
        ([name, verdict]) => direct.has(name) && fails(verdict) && !fails(direct.get(name)),
      );
      assert.deepEqual(worse, [], 'nothing fails only through us');
    });
