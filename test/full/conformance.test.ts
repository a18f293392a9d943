import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, withKey } from '../support/conformance.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startEverything } from '../support/mcp-servers.ts';

const sessions =
  'we hold the session with the server; between a client and us there is none to keep or to end';
const noPolling = 'answers come in the reply to their request: there is no event id to come back with';

/** Checks that hold when the server is called directly and are not made, or only warn, through us; and why. */
const expected: readonly {
  readonly server: 'everything' | 'sdk';
  readonly revision: string;
  readonly lost: Readonly<Record<string, string>>;
}[] = [
  {
    server: 'everything',
    revision: '2025-11-25',
    lost: {
      'server-initialize server-session-id-visible-ascii': sessions,
      'server-session-lifecycle server-session-initialized-accepted': sessions,
      'server-session-lifecycle server-session-delete-accepted': sessions,
      'server-sse-multiple-streams server-accepts-multiple-post-streams': sessions,
      'server-sse-multiple-streams server-sse-streams-functional': sessions,
      'server-sse-polling server-sse-priming-event': noPolling,
    },
  },
  {
    server: 'everything',
    revision: '2026-07-28',
    // Directly, a server of the older revision refuses whatever it is asked, which these two take for a good refusal.
    lost: {
      'input-required-result-validate-input sep-2322-validate-input-responses': 'has no such tool',
      'input-required-result-validate-input sep-2322-error-on-protocol-error': 'has no such tool',
    },
  },
  { server: 'sdk', revision: '2025-11-25', lost: {} },
  { server: 'sdk', revision: '2026-07-28', lost: {} },
];

for (const { server, revision, lost } of expected)
  test(`conformance to ${revision}, ${server}: what holds directly holds through us`, async (t) => {
    const { url } = server === 'sdk' ? await startSdkServer(t) : await startEverything(t, 'streamableHttp');
    const app = await bootMcp(t);
    await app.add('io.example/one', url);
    const direct = await judge(t, url, revision);
    const through = await judge(t, `${await withKey(t, app.url)}/mcp/servers/io.example%2Fone`, revision);
    assert.ok(direct.size > 50, `the referee ran: ${direct.size} checks`);
    const holds = (verdict: string | undefined) => verdict !== undefined && /^(SUCCESS ?)+$/.test(verdict);
    const missing = [...direct].filter(([name, verdict]) => holds(verdict) && !holds(through.get(name)));
    assert.deepEqual(missing.map(([name]) => name).sort(), Object.keys(lost).sort());
    const worse = [...through].filter(
      ([name, verdict]) =>
        verdict.includes('FAILURE') && direct.has(name) && !direct.get(name)?.includes('FAILURE'),
    );
    assert.deepEqual(worse, [], 'nothing fails only through us');
  });
