#!/usr/bin/env bash
# Node 24.21.0: `import { createServer } from 'node:http'` loads the HTTP client that Node has inside (undici, HTTP/2 and
# streams of the web with it), though nothing but the server is wanted.
#
# `node:http` also has WebSocket, CloseEvent and MessageEvent, as getters that load that client when they are asked for. A module
# that imports from a built-in one makes Node read all its exports once, getters too. `process.getBuiltinModule('node:http')`
# and `require` read none. Seen on 2026-11-30 (processor time of the user, resident memory at the end of the program):
#
#   import: undici loaded true, 60 MB, 42 ms
#   getBuiltinModule: undici loaded false, 46 MB, 14 ms
#
# (MB the same in five runs each, 10 to 18 and 42 to 47 ms.) Fails when the import no longer loads it, or saves less than 5 MB.
# What we made of it: src/http/passthrough/node-http.ts.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0

report='
const { rss } = process.memoryUsage();
const isLoaded = process.moduleLoadList.includes("NativeModule internal/deps/undici/undici");
console.log(JSON.stringify({ isLoaded, mb: Math.round(rss / 1e6), ms: Math.round(process.cpuUsage().user / 1000), server: typeof createServer }));
'
echo "import { createServer } from 'node:http';$report" >imported.mjs
echo "const { createServer } = process.getBuiltinModule('node:http');$report" >asked.mjs

node_modules/.bin/node --version
imported=$(node_modules/.bin/node imported.mjs)
asked=$(node_modules/.bin/node asked.mjs)
node_modules/.bin/node -e '
const [imported, asked] = process.argv.slice(1).map((text) => JSON.parse(text));
for (const [way, { isLoaded, mb, ms }] of Object.entries({ import: imported, getBuiltinModule: asked }))
  console.log(`${way}: undici loaded ${isLoaded}, ${mb} MB, ${ms} ms`);
if (!imported.isLoaded || asked.isLoaded || imported.mb - asked.mb < 5) process.exit(1);
' "$imported" "$asked"
