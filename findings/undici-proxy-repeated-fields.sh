#!/usr/bin/env bash
# undici 8.13.1: a proxy agent keeps only the last of header fields that share a name.
#
# Header fields may be given as a list (name, value, name, value …), which can repeat a name. A plain Agent sends such a
# list as it is. ProxyAgent and EnvHttpProxyAgent make an object of it first, so of `x-a: one` and `x-a: two` the target
# sees `two` alone, through a tunnel and in absolute form alike. An object whose value is an array ({'x-a': ['one',
# 'two']}) passes whole. Seen on 2026-11-30 with Node 24.21:
#
#   Agent, a list: x-a one, x-a two
#   ProxyAgent, a list: x-a two
#   ProxyAgent in a tunnel, a list: x-a two
#   ProxyAgent, an object of arrays: x-a one, x-a two
#   EnvHttpProxyAgent, a list: x-a two
#
# What we made of it: src/outbound/dispatcher.ts gives a proxied request its fields by name, several values as an array.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund undici@8.13.1 node@24.21.0
cat >seen.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { Agent, EnvHttpProxyAgent, ProxyAgent, request } from 'undici';

let seen = [];
const target = createServer((asked, reply) => {
  seen = asked.rawHeaders;
  reply.end();
}).listen(0, '127.0.0.1');
const proxy = createServer((asked, reply) => {
  seen = asked.rawHeaders;
  reply.end();
}).on('connect', (asked, socket) => {
  const [host, port] = asked.url.split(':');
  const upstream = connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    upstream.pipe(socket).pipe(upstream);
  });
}).listen(0, '127.0.0.1');
await Promise.all([once(target, 'listening'), once(proxy, 'listening')]);
const url = `http://127.0.0.1:${target.address().port}/`;
const uri = `http://127.0.0.1:${proxy.address().port}`;
const list = ['x-a', 'one', 'x-a', 'two'];
const rows = [
  ['Agent, a list', new Agent(), list],
  ['ProxyAgent, a list', new ProxyAgent(uri), list],
  ['ProxyAgent in a tunnel, a list', new ProxyAgent({ uri, proxyTunnel: true }), list],
  ['ProxyAgent, an object of arrays', new ProxyAgent(uri), { 'x-a': ['one', 'two'] }],
  ['EnvHttpProxyAgent, a list', new EnvHttpProxyAgent({ httpProxy: uri, httpsProxy: uri, noProxy: '' }), list],
];
for (const [name, dispatcher, headers] of rows) {
  await (await request(url, { dispatcher, headers })).body.dump();
  const fields = seen.flatMap((each, i) => (each === 'x-a' && i % 2 === 0 ? [`x-a ${seen[i + 1]}`] : []));
  console.log(`${name}: ${fields.join(', ')}`);
  await dispatcher.close();
}
target.close();
proxy.close();
JS
diff - <(node_modules/.bin/node seen.mjs) <<'SEEN'
Agent, a list: x-a one, x-a two
ProxyAgent, a list: x-a two
ProxyAgent in a tunnel, a list: x-a two
ProxyAgent, an object of arrays: x-a one, x-a two
EnvHttpProxyAgent, a list: x-a two
SEEN
echo "as seen: undici 8.13.1 keeps the last of repeated fields behind a proxy"
