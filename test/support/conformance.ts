import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, request as openRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { adminKey, temporaryFolder } from './app.ts';
import { root } from './paths.ts';

/** What the referee found: scenario and check, and how it went. */
export type Verdicts = ReadonlyMap<string, string>;

const referee = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** Every scenario that a revision requires of a server, against this URL. */
export async function judge(t: TestContext, url: string, revision: string): Promise<Verdicts> {
  const folder = temporaryFolder(t);
  const args = [referee, 'server', '--url', url, '--requirements', revision, '-o', folder];
  await new Promise<void>((done) => void execFile(process.execPath, args, { maxBuffer: 1e8 }, () => done()));
  const verdicts = new Map<string, string>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('checks.json')) continue;
    const scenario = file.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
    const checks = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { id: string; status: string }[];
    for (const { id, status } of checks) {
      const name = `${scenario} ${id}`;
      verdicts.set(name, [verdicts.get(name), status].filter(Boolean).join(' '));
    }
  }
  return verdicts;
}

/** The referee has no place for a key: this adds one and passes everything else on, the Host included. */
export async function withKey(t: TestContext, origin: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  const server = createServer((incoming, reply) => {
    const headers = { ...incoming.headers, 'x-api-key': adminKey };
    const outgoing = openRequest({ hostname, port, method: incoming.method, path: incoming.url, headers });
    outgoing.on('response', (answer) => {
      reply.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(reply);
    });
    outgoing.on('error', () => reply.destroy());
    reply.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
