import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, withKey } from '../support/conformance.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startEverything } from '../support/mcp-servers.ts';

const holds = (verdict: string | undefined) => verdict !== undefined && /^(SUCCESS ?)+$/.test(verdict);
const fails = (verdict: string | undefined) => verdict?.includes('FAILURE') === true;

/** Of a server's own streams, which a toolset's door does not have; and what everything answers to tools that it has not. */
const ofServerAlone = /^(server-sse-|tools-call-(error|simple-text) )/;

for (const server of ['everything', 'sdk'] as const)
  for (const revision of ['2025-11-25', '2026-07-28'])
    test(`conformance to ${revision}, ${server}: what holds directly holds through us`, async (t) => {
      const { url } = server === 'sdk' ? await startSdkServer(t) : await startEverything(t, 'streamableHttp');
      const app = await bootMcp(t);
      await app.add('io.example/one', url);
      const direct = await judge(t, url, revision);
      assert.ok(direct.size > 50, `the referee ran: ${direct.size} checks`);
      await app.call('POST', '/v1/admin/servers/io.example%2Fone/probe');
      await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
      const withUs = await withKey(t, app.url);
      for (const door of ['/mcp/servers/io.example%2Fone', '/mcp/t/all']) {
        const through = await judge(t, `${withUs}${door}`, revision);
        const isHeld = (name: string) => !(door.startsWith('/mcp/t/') && ofServerAlone.test(name));
        const lost = [...direct].filter(
          ([name, verdict]) => isHeld(name) && holds(verdict) && !holds(through.get(name)),
        );
        assert.deepEqual(lost, [], `${door}: nothing is lost through us`);
        const worse = [...through].filter(
          ([name, verdict]) => isHeld(name) && direct.has(name) && fails(verdict) && !fails(direct.get(name)),
        );
        assert.deepEqual(worse, [], `${door}: nothing fails only through us`);
      }
    });
