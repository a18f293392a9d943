import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Served } from '../support.ts';

/** nginx as a plain reverse proxy of one worker on core 0, with connections kept to the upstream; null where it is not installed. */
export async function serveNginx(folder: string, upstream: string): Promise<Served | null> {
  if (spawnSync('nginx', ['-v']).error !== undefined) return null;
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; worker_processes 1; worker_cpu_affinity 01; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 100000000;
  upstream api { server ${new URL(upstream).host}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location /v1/proxy/bench/ {
      proxy_pass http://api/; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Authorization "Bearer token";
    }
  }
}
`,
  );
  const child = spawn('nginx', ['-c', file, '-e', '/dev/null'], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries++) {
    const answers = await fetch(`${url}/v1/proxy/bench/x`).then(
      () => true,
      () => false,
    );
    if (answers) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    child,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
