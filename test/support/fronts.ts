import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import { Agent, fetch as undiciFetch } from 'undici';
import { temporaryFolder } from './app.ts';
import { certificate, certificateKey } from './certificate.ts';
import { freePort } from './free-port.ts';
import { bootMcp } from './mcp-app.ts';
import { root } from './paths.ts';
import { until } from './programs.ts';

/** The configurations of deploy/ in front of a running service, as they stand but for names, ports and the certificate. */
type Front = { readonly command: string; configure(folder: string, ports: Ports): readonly string[] };
type Ports = { readonly front: number; readonly plain: number; readonly service: number };

/** The name that the tests' certificate is for. */
export const host = 'upstream.test';

function shipped(file: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce(
    (text, [from, to]) => {
      assert.ok(text.includes(from), `${file} has no ${from}`);
      return text.replaceAll(from, to);
    },
    readFileSync(join(root, 'deploy', file), 'utf8').replaceAll('rank.example.com', host),
  );
}

export const fronts: Readonly<Record<string, Front>> = {
  nginx: {
    command: 'nginx',
    configure(folder, { front, plain, service }) {
      const site = shipped('nginx/mcprank.conf', [
        [':8787', `:${service}`],
        ['listen 443 ssl', `listen ${front} ssl`],
        ['listen 80;', `listen 127.0.0.1:${plain};`],
        [`/etc/letsencrypt/live/${host}/fullchain.pem`, join(folder, 'cert.pem')],
        [`/etc/letsencrypt/live/${host}/privkey.pem`, join(folder, 'key.pem')],
      ]);
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${join(folder, name)};`,
      );
      writeFileSync(join(folder, 'site.conf'), site);
      writeFileSync(
        join(folder, 'nginx.conf'),
        `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${join(folder, 'pid')}; error_log stderr;
         events {} http { access_log off; ${paths.join(' ')} include ${join(folder, 'site.conf')}; }`,
      );
      return ['-e', 'stderr', '-c', join(folder, 'nginx.conf')];
    },
  },
  caddy: {
    command: 'caddy',
    configure(folder, { front, plain, service }) {
      const site = shipped('caddy/Caddyfile', [
        ['127.0.0.1:8787', `127.0.0.1:${service}`],
        [`\n${host} {`, `\nhttps://${host}:${front} {\n\ttls ${folder}/cert.pem ${folder}/key.pem`],
      ]);
      writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\thttp_port ${plain}\n}\n${site}`);
      return ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
    },
  },
};

/** False, or why a test that needs it is skipped. */
export function noFront({ command }: Front): string | false {
  return spawnSync(command, ['-h']).error === undefined ? false : `needs ${command}`;
}

/** Requests as another machine's, through the front. */
export function through(t: TestContext, port: number, localAddress = '127.0.0.1') {
  const agent = new Agent({
    connect(_options, done) {
      const over = { localAddress } as object;
      const socket = connect({ ...over, host: '127.0.0.1', port, servername: host, ca: certificate });
      socket.once('error', (error) => done(error, null)).once('secureConnect', () => done(null, socket));
    },
  });
  t.after(() => agent.destroy());
  const go = (path: string, init: RequestInit = {}) =>
    undiciFetch(new URL(path, `https://${host}:${port}`), {
      ...(init as object),
      dispatcher: agent,
    }) as unknown as Promise<Response>;
  return Object.assign(go, { url: `https://${host}:${port}` });
}

/** The service behind that front, which is where its own URL says. */
export async function startFront(
  t: TestContext,
  { command, configure }: Front,
  env: Readonly<Record<string, string>> = {},
) {
  const [front, plain] = [await freePort(), await freePort()];
  const app = await bootMcp(
    t,
    {},
    {
      MCPRANK_PUBLIC_URL: `https://${host}:${front}`,
      MCPRANK_TRUSTED_PROXIES: '127.0.0.1',
      ...env,
    },
  );
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'cert.pem'), certificate);
  writeFileSync(join(folder, 'key.pem'), certificateKey);
  const ports = { front, plain, service: Number(new URL(app.url).port) };
  const child = spawn(command, configure(folder, ports), {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
  // Gently: nginx takes its workers with it.
  t.after(() => child.kill('SIGTERM'));
  const go = through(t, front);
  const answers = () =>
    go('/healthz').then(
      ({ status }) => status === 200,
      () => false,
    );
  await until(`${command} answers`, answers).catch(() => assert.fail(said));
  return { app, go, front };
}
