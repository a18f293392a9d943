import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { adminKey } from './app.ts';
import { root } from './paths.ts';

/** The command as a person runs it, each time a process of its own. */
type Done = { readonly code: number | null; readonly out: string; readonly err: string };

export function mcprank(folder: string, args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [join(root, 'bin/mcprank.js'), ...args], {
    env: {
      PATH: process.env.PATH ?? '',
      MCPRANK_DATA_DIR: folder,
      MCPRANK_SYNC: 'off',
      MCPRANK_STARTER: 'off',
      MCPRANK_PORT: '0',
      MCPRANK_ADMIN_KEY: adminKey,
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export async function done(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input = '',
): Promise<Done> {
  const child = mcprank(folder, args, env);
  child.stdin.end(input);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** A server of its own process; its URL once it listens. */
export async function serving(t: TestContext, folder: string, env: Record<string, string> = {}) {
  const child = mcprank(folder, ['serve'], env);
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    out += text;
    const url = /listening on (http:\S+)/.exec(out)?.[1];
    if (url !== undefined && (env.MCPRANK_ADMIN_KEY !== '' || out.includes('sk_mcp_rank_')))
      return { child, url, out };
  }
  throw new Error(`it did not listen: ${out}`);
}
