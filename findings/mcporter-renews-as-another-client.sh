#!/usr/bin/env bash
# mcporter 0.12.3: once a server refuses an access token before its time, the refresh token is presented under another client id than
# the one it was issued to.
#
# A server may forget access tokens that have not run out (a restart, a change of keys) and still take the refresh token. Upon
# that 401 mcporter makes a new dynamic registration (the port of its callback is another one in each run) and then renews with
# the refresh token that it kept, as the new client. An authorization server that binds refresh tokens to their client, as RFC
# 6749 section 6 wants it, has to refuse that; one that does not look renews. Renewed by its time alone (`expires_at` in the past),
# the same token goes under the client that it belongs to. Seen on 2026-11-30 (registrations, then the clients of the renewals):
#
#   signed in: 1 registered; renewed by none
#   over by its time: 1 registered; renewed by client-1
#   refused before its time: 2 registered; renewed by client-1 client-2
#
# The server here issues to client-1, and does not look. Fails when the last line is another one.
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund mcporter@0.12.3

cat >server.mjs <<'JS'
// An MCP server of 2025-06-18 with its authorization server: every page of consent says yes at once.
import { createServer } from 'node:http';
const seen = { registrations: 0, renewedBy: [] };
let visits = 0;
let made = 0;
let good = '';
const body = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return text;
};
const json = (reply, status, value, headers = {}) =>
  reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
const answers = {
  initialize: () => ({ protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'echo', version: '1' } }),
  'tools/list': () => ({ tools: [{ name: 'echo', description: 'Says it again', inputSchema: { type: 'object' } }] }),
};
const server = createServer(async (request, reply) => {
  const origin = `http://${request.headers.host}`;
  const url = new URL(request.url, origin);
  const text = await body(request);
  if (url.pathname === '/counts') return json(reply, 200, seen);
  if (url.pathname === '/forget') { good = ''; return json(reply, 200, {}); }
  if (url.pathname.startsWith('/.well-known/oauth-protected-resource'))
    return json(reply, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
  if (url.pathname.startsWith('/.well-known/oauth-authorization-server'))
    return json(reply, 200, {
      issuer: origin, authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`, response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'], code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
    });
  if (url.pathname === '/register') {
    return json(reply, 201, { ...JSON.parse(text), client_id: `client-${++seen.registrations}` });
  }
  if (url.pathname === '/authorize') {
    visits++;
    const back = new URL(url.searchParams.get('redirect_uri'));
    back.searchParams.set('code', `code-${visits}`);
    back.searchParams.set('state', url.searchParams.get('state'));
    return reply.writeHead(302, { location: back.href }).end();
  }
  if (url.pathname === '/token') {
    const asked = new URLSearchParams(text);
    if (asked.get('grant_type') === 'refresh_token') seen.renewedBy.push(asked.get('client_id'));
    good = `access-${++made}`;
    return json(reply, 200, { access_token: good, token_type: 'Bearer', expires_in: 3600, refresh_token: 'refresh' });
  }
  if (url.pathname !== '/mcp') return reply.writeHead(404).end();
  if (good === '' || request.headers.authorization !== `Bearer ${good}`)
    return json(reply, 401, { error: 'invalid_token' }, {
      'www-authenticate': `Bearer error="invalid_token", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
    });
  if (request.method !== 'POST') return reply.writeHead(405).end();
  const { id, method } = JSON.parse(text);
  if (id === undefined) return reply.writeHead(202).end();
  json(reply, 200, { jsonrpc: '2.0', id, result: answers[method]?.() ?? {} });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
node server.mjs >port &
server=$!
until [ -s port ]; do sleep 0.1; done
url="http://127.0.0.1:$(cat port)"

# What opens pages on a desktop: here it visits them, and follows them back.
mkdir home bin
printf '#!/bin/sh\nexec node -e "fetch(process.argv[1])" "$1"\n' >bin/xdg-open
chmod +x bin/xdg-open
mcporter() { HOME="$folder/home" PATH="$folder/bin:$PATH" timeout 40 node_modules/.bin/mcporter "$@" --allow-http >>out 2>&1; }
told() {
  node -e 'fetch(process.argv[1] + "/counts").then((r) => r.json()).then(({ registrations, renewedBy }) =>
    console.log(`${registrations} registered; renewed by ${renewedBy.join(" ") || "none"}`))' "$url"
}

echo "mcporter $(node -p 'JSON.parse(require("node:fs").readFileSync("node_modules/mcporter/package.json", "utf8")).version')"
mcporter auth "$url/mcp" || { cat out; exit 1; }
mcporter list "$url/mcp" || { cat out; exit 1; }
echo "signed in: $(told)"

node -e '
const { readFileSync, writeFileSync } = require("node:fs");
const file = process.argv[1] + "/.mcporter/credentials.json";
writeFileSync(file, readFileSync(file, "utf8").replace(/("expires_at": )\d+/g, "$11"));' "$folder/home"
mcporter list "$url/mcp" || { cat out; exit 1; }
echo "over by its time: $(told)"

node -e 'fetch(process.argv[1] + "/forget")' "$url"
mcporter auth "$url/mcp" || true
mcporter list "$url/mcp" || true
refused=$(told)
echo "refused before its time: $refused"

[ "$refused" = "2 registered; renewed by client-1 client-2" ]
