import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppOptions } from '../../src/app.ts';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { bootMcp, type McpTestApp } from './mcp-app.ts';
import { root } from './paths.ts';

/** An entry of the operator's file for a program that speaks MCP in an odd way (odd-program.ts). */
export function odd(way: string, what: string | number = '') {
  return { command: process.execPath, args: [join(root, 'test/support/odd-program.ts'), way, what] };
}

/** The app with these programs, granted to everybody; `server/discover` is waited for a moment only. */
export async function bootPrograms(
  t: TestContext,
  mcpServers: object,
  options: AppOptions = {},
): Promise<McpTestApp> {
  const localServers = parseMcpConfig(JSON.stringify({ mcpServers }));
  const app = await bootMcp(t, { localServers, mcpLimits: { discoverMs: 150 }, ...options });
  const granted = [{ developer: '*', credentials: true }];
  const rights = { visibility: 'private', owner: 'admin', granted } as const;
  const by = { actor: 'test', developerId: 'test' };
  await app.services.policy.admin.putRights(Object.keys(mcpServers), rights, by);
  return app;
}

/** Asks again until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 400, what);
    await delay(25);
  }
}
