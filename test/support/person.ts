import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { adminKey, temporaryFolder } from './app.ts';
import { startCompany } from './company.ts';
import { chromiumPath } from './console.ts';
import { bootMcp, type McpTestApp } from './mcp-app.ts';
import { startSdkServer } from './mcp-sdk-server.ts';

/** A person before a real browser, and what programs by other people need to bring one to our page. */

/** The app with one server that echoes. */
export async function bootEcho(t: TestContext, env: Record<string, string> = {}): Promise<McpTestApp> {
  const app = await bootMcp(t, {}, env);
  const { url } = await startSdkServer(t);
  const inputSchema = { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] };
  await app.add('fixture', url, { tools: [{ name: 'echo', description: 'Say it again', inputSchema }] });
  return app;
}

/** Who signs in: a person with a key, or one of the company, at its provider. */
export const people = ['with a key', 'at the company'] as const;
export const bootFor = async (t: TestContext, who: (typeof people)[number]): Promise<McpTestApp> =>
  bootEcho(t, who === 'with a key' ? {} : (await startCompany(t, 'keycloak')).env());

let launched: Promise<Browser> | undefined;
after(async () => (await launched)?.close());

/** A fresh browser, its page and what our policy refused there. */
export async function openBrowser() {
  launched ??= chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  const context = await (await launched).newContext();
  // A loaded machine is no failure.
  context.setDefaultTimeout(100_000);
  const page = await context.newPage();
  const refused: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) refused.push(message.text());
  });
  return { context, page, refused };
}

/** On our page, which a client led to: the key, if one is asked for, and the button. */
export async function decideOn(page: Page, button: string | RegExp = /^Sign in .*allow$/): Promise<void> {
  const pressed = page.getByRole('button', { name: button });
  await pressed.waitFor();
  const key = page.getByLabel('API key');
  if (button !== 'Cancel' && (await key.count()) > 0) await key.fill(adminKey);
  await pressed.click();
}

/** A person in Chromium, at whatever page a client opened; done once the browser was brought back to the client. */
export async function agree(url: string, button?: string): Promise<void> {
  const { context, page, refused } = await openBrowser();
  await page.goto(url);
  await decideOn(page, button);
  await page.waitForURL(/\/callback/);
  assert.deepEqual(refused, []);
  await context.close();
}

/** What a program on a desktop does: a server of its own for the way back, and everything in memory. */
export async function desktop(t: TestContext) {
  const returned = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, reply) => {
    returned.resolve(new URL(request.url ?? '', 'http://x').searchParams);
    reply.end('You can close this page.');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const kept: { client?: unknown; tokens?: unknown; verifier?: string; asked: number } = { asked: 0 };
  const provider = {
    redirectUrl,
    clientMetadata: { client_name: 'SDK', redirect_uris: [redirectUrl] },
    clientInformation: () => kept.client,
    saveClientInformation(client: unknown) {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens(tokens: unknown) {
      kept.tokens = tokens;
    },
    async redirectToAuthorization(url: URL) {
      kept.asked++;
      await agree(url.href);
    },
    saveCodeVerifier(verifier: string) {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
  };
  return { provider: provider as never, kept, returned: returned.promise };
}

/** A program by other people, with a home of its own, whose `xdg-open` opens nothing and tells what it was to open. */
export function createDesk(t: TestContext) {
  const home = temporaryFolder(t);
  const list = join(home, 'asked');
  const opener = join(home, 'xdg-open');
  writeFileSync(opener, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${list}'\n`);
  chmodSync(opener, 0o755);
  const env = { PATH: `${home}:${process.env.PATH ?? ''}`, HOME: home };
  /** The pages that were asked for, one a line. */
  const asked = () => (existsSync(list) ? readFileSync(list, 'utf8').split('\n').slice(0, -1) : []);
  return {
    home,
    env,
    asked,
    start(command: string, args: readonly string[], more: Record<string, string> = {}) {
      const child = spawn(process.execPath, [command, ...args], {
        cwd: home,
        env: { ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      t.after(() => child.kill('SIGKILL'));
      let out = '';
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
        told += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        told += text;
      });
      const closed = once(child, 'close').then(([code]) => {
        assert.equal(code, 0, told);
        return out;
      });
      closed.catch(() => undefined);
      return {
        /** What it says at last. */
        closed,
        /** What it comes to say on the way; one that ends before is a failure. */
        says: (look: (told: string) => string | undefined) =>
          Promise.race([until(() => look(told)), closed.then((end) => assert.fail(`it ended: ${end}`))]),
      };
    },
  };
}

/** What comes to be; the test's own timeout is the limit, and a test that is over is not waited for. */
export async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await delay(50, undefined, { ref: false });
  }
}
