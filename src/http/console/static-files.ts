/**
 * The console's built files, read once and served from memory.
 *
 * Promises: only what the build left is served (no path of a request reaches the disk), packed where the browser takes it; hashed assets are kept by the
 * browser for a year, everything else is asked for again by its ETag; the policy lets a page load from here alone.
 * Without a build, the console's paths answer with a page that says how to make one.
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256Hex } from '../../base/id.ts';
import type { Reply } from '../route.ts';

export type ConsoleFiles = {
  /** What stands at a path, or null; the request's headers say what the browser has and takes. */
  find(path: string, headers: IncomingHttpHeaders): Reply | null;
};

/** Paths that the console draws itself: a reload or a link from elsewhere must lead to it. */
const pages =
  /^\/(catalogue|activity|keys|connections|issuers|webhooks|oauth-clients|audit|settings|docs)?(\/[^/]+)?$/;
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
};

const always = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    'media-src blob:',
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

type Form = { readonly body: Buffer; readonly etag: string };
/** Packed when a browser first takes it so: most processes serve no console. */
type File = { readonly plain: Form; readonly packed: () => Form; readonly contentType: string };

/** `folder` is what `npm run console` builds; it need not be there. */
export function createConsoleFiles(folder: string): ConsoleFiles {
  const files = readFiles(folder);
  const shell = files.get('/index.html') ?? fileOf('.html', Buffer.from(unbuilt));

  return {
    find(path, headers) {
      const page = pages.test(path) ? shell : undefined;
      const file = path === '/index.html' ? undefined : (files.get(path) ?? page);
      return file === undefined ? null : toReply(path, file, headers);
    },
  };
}

function toReply(path: string, file: File, headers: IncomingHttpHeaders): Reply {
  const { 'if-none-match': known, 'accept-encoding': taken } = headers;
  const isPacked = /\bgzip\b(?!\s*;\s*q=0(\.0*)?(,|$))/.test(String(taken ?? ''));
  const { body, etag } = isPacked ? file.packed() : file.plain;
  const { contentType } = file;
  const own = {
    ...always,
    etag,
    vary: 'accept-encoding',
    'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  };
  return known === etag
    ? { status: 304, body: '', contentType, headers: own }
    : { status: 200, body, contentType, headers: own };
}

function readFiles(folder: string): ReadonlyMap<string, File> {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return new Map();
  }
  return new Map(
    names
      .filter((name) => types[extname(name)] !== undefined)
      .map((name) => [
        `/${name.replaceAll('\\', '/')}`,
        fileOf(extname(name), readFileSync(join(folder, name))),
      ]),
  );
}

function fileOf(extension: string, body: Buffer): File {
  let packed: Form | undefined;
  return {
    plain: formOf(body),
    packed() {
      packed ??= formOf(gzipSync(body));
      return packed;
    },
    contentType: types[extension] ?? '',
  };
}

function formOf(body: Buffer): Form {
  return { body, etag: `"${sha256Hex(body.toString('latin1')).slice(0, 32)}"` };
}

const unbuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>MCP Rank</title>
<h1>MCP Rank is running</h1>
<p>Its console is not built yet. In a checkout: <code>npm ci &amp;&amp; npm run console</code>, then start again.</p>
<p>The API works without it: <a href="/openapi.json">openapi.json</a>, <a href="/v1/health">health</a>.</p>
</html>
`;
