import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { root } from '../support/paths.ts';

/** Real servers by other people, installed once with ../shared/fleet/install.sh (80 s, 1 GB). */
const scripts = join(root, '..', 'shared', 'fleet');
const folder = process.env.MCP_FLEET ?? join(tmpdir(), 'mcp-fleet');
const skip = !existsSync(join(scripts, 'up.sh'))
  ? 'needs ../shared/fleet, which is not there'
  : !existsSync(join(folder, 'servers'))
    ? `needs the fleet: bash ../shared/fleet/install.sh ${folder} (or name its folder in MCP_FLEET)`
    : false;

type Member = {
  readonly name: string;
  readonly transport: string;
  readonly url: string;
  readonly headers?: Record<string, string>;
};

/** A call that each server answers offline, and what its answer must hold. */
const calls: Readonly<Record<string, readonly [tool: string, args: unknown, expected: RegExp]>> = {
  everything: ['echo', { message: 'hi' }, /Echo: hi/],
  'everything-sse': ['echo', { message: 'hi' }, /Echo: hi/],
  memory: ['read_graph', {}, /entities/],
  sequential: [
    'sequentialthinking',
    { thought: 'x', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    /thoughtNumber/,
  ],
  filesystem: ['list_allowed_directories', {}, /sandbox/],
  'json-response': ['greet', { name: 'Ada' }, /Ada/],
  playwright: ['browser_tabs', { action: 'list' }, /about:blank|tab/i],
};

test('the fleet: every server lists its tools, and calls come back', {
  skip,
  timeout: 240_000,
}, async (t) => {
  execFileSync('bash', [join(scripts, 'up.sh'), folder], { stdio: 'ignore' });
  t.after(() => execFileSync('bash', [join(scripts, 'down.sh'), folder], { stdio: 'ignore' }));
  const fleet = JSON.parse(readFileSync(join(folder, 'fleet.json'), 'utf8')) as Member[];
  await Promise.all(fleet.map(({ url }) => untilListening(url)));
  const entries = fleet.map(({ name, url, transport, headers = {} }) => [
    name,
    { url, headers, type: transport },
  ]);
  const localServers = parseMcpConfig(JSON.stringify({ mcpServers: Object.fromEntries(entries) }));
  const app = await bootMcp(t, { localServers });

  for (const { name } of fleet) {
    await t.test(name, async () => {
      const listed = await app.list(name);
      if (name === 'oauth') {
        assert.equal(listed.status, 403, listed.text);
        assert.equal((listed.body.detail as { code: string }).code, 'provider_not_connected');
        return;
      }
      assert.equal(listed.status, 200, listed.text);
      const tools = listed.body.tools as { name: string }[];
      assert.ok(tools.length > 0, listed.text);
      const [tool, args, expected] = calls[name] ?? ['no-such-tool', {}, /./];
      const first = await app.tool(name, tool, args);
      const again = await app.tool(name, tool, args);
      assert.match(again.text, expected);
      assert.equal(first.status, again.status, `${first.text} ${again.text}`);
      if (calls[name] !== undefined) assert.equal(again.body.isError, false, again.text);
    });
  }
});

async function untilListening(url: string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const reached = await fetch(url, { method: 'OPTIONS' }).then(
      () => true,
      () => false,
    );
    if (reached) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${url}`);
}
