import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { type App, type AppOptions, startApp } from '../../src/app.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Env, parseConfig } from '../../src/config.ts';
import { defaultLimits } from '../../src/http/http.ts';
import { type Embedder, loadBuiltInEmbedder } from '../../src/search/search.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { assertDeclared } from './declared-replies.ts';

export const adminKey = `sk_mcp_rank_${'a1'.repeat(16)}`;

export type TestReply = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
};

export type TestApp = App & {
  /** Lines of the log so far. */
  readonly lines: string[];
  readonly dataDir: string;
  /** JSON in, JSON out, with the admin key unless another (or null) is given. */
  call(
    method: string,
    path: string,
    options?: { body?: unknown; key?: string | null; headers?: Record<string, string> },
  ): Promise<TestReply>;
  /** A key of a new developer. */
  newKey(fields?: Record<string, unknown>): Promise<string>;
};

/**
 * Tests share their machine: one that is late says nothing about the app, unless that is what is tested. Nor does any wait for
 * what might still arrive at a stop.
 */
export const testLimits = { ...defaultLimits, lateMs: Number.POSITIVE_INFINITY, drainMs: 0 };

/** A folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Made once for all the apps of a process: to make one takes as long as the rest of a start. A test of keys that turn over asks for none. */
let signingKeys: Promise<string> | undefined;

async function makeSigningKeys(): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2_048, extractable: true });
  return JSON.stringify([{ ...(await exportJWK(privateKey)), kid: 'tests' }]);
}

/** Read once for all the apps of a process; nothing ever changes in it. */
let embedder: Embedder | undefined;
/** A store whose schema is whole: to copy it takes a tenth of the time that its migrations take. */
let emptyStore: Promise<Buffer> | undefined;

async function makeEmptyStore(): Promise<Buffer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mcprank-store-'));
  try {
    const storage = await openStorage(parseConfig({ MCPRANK_DATA_DIR: dataDir }), systemClock);
    await storage.close();
    return readFileSync(join(dataDir, 'mcprank.db'));
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}

/** A data folder with an empty store in it; goes away with the test. */
export async function newDataDir(t: TestContext): Promise<string> {
  const folder = temporaryFolder(t);
  emptyStore ??= makeEmptyStore();
  writeFileSync(join(folder, 'mcprank.db'), await emptyStore);
  return folder;
}

/** The real app on a free port with a store of its own and no server in it; closed with the test. */
export async function bootApp(t: TestContext, env: Env = {}, options: AppOptions = {}): Promise<TestApp> {
  const dataDir = env.MCPRANK_DATA_DIR ?? (await newDataDir(t));
  embedder ??= loadBuiltInEmbedder();
  signingKeys ??= makeSigningKeys();
  const lines: string[] = [];
  const telemetry = createTelemetry({ level: 'debug', write: (line) => void lines.push(line) });
  const config = parseConfig({
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_DATA_DIR: dataDir,
    MCPRANK_SIGNING_KEYS: await signingKeys,
    ...env,
  });
  const app = await startApp(config, { telemetry, limits: testLimits, embedder, ...options });
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await app.close();
  };
  t.after(close);

  const call: TestApp['call'] = async (method, path, { body, key = adminKey, headers = {} } = {}) => {
    const reply = await fetch(`${app.url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { 'x-api-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await readText(reply, isEndless(path));
    const contentType = reply.headers.get('content-type') ?? '';
    assertDeclared(app.routes, { method, path, status: reply.status, contentType, text });
    const isJson = text !== '' && /\bjson\b/.test(contentType);
    const parsed: unknown = isJson ? JSON.parse(text) : {};
    return { status: reply.status, headers: reply.headers, text, body: parsed as Record<string, unknown> };
  };
  let developers = 0;
  return {
    ...app,
    lines,
    dataDir,
    close,
    call,
    async newKey(fields = {}) {
      const made = await call('POST', '/v1/admin/keys', {
        body: { developer: `developer ${++developers}`, name: 'test', tier: 'enterprise', ...fields },
      });
      return String(made.body.key);
    },
  };
}

/** A stream that tells what is new for as long as one listens; those of MCP end with their answer. */
function isEndless(path: string): boolean {
  return /\/live(\?|$)/.test(path);
}

/** Of a stream without end, nothing. */
async function readText(reply: Response, isStream: boolean): Promise<string> {
  if (!reply.ok || !isStream) return reply.text();
  await reply.body?.cancel();
  return '';
}

/** Time that stands still until it is turned. */
export function handClock(start = Date.UTC(2026, 0, 1)): Clock & { advance(ms: number): void } {
  let elapsed = 0;
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    advance(ms) {
      elapsed += ms;
    },
  };
}
