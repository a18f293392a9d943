#!/usr/bin/env -S node --max-semi-space-size=8
// Half of Node's own young generation: as small at rest as a quarter of that, and a tenth less of the processor under load.
//
// In a checkout the sources run as they are; a published package carries them compiled, because Node strips no
// types below node_modules.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { setFlagsFromString } from 'node:v8';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `mcprank needs Node 24 or newer; this is ${process.version}. In a checkout \`npm ci\` brings the right one: use npm start or npx mcprank.\n`,
  );
  process.exit(3);
}
// V8 puts objects of kinds that lived long into the old space at once. Of objects that last for one request it decides that
// after a busy start, and then whole requests wait for a full collection: a fifth to a quarter of a call (measured).
setFlagsFromString('--no-allocation-site-pretenuring');
// Large bodies are buffers outside of V8's heap, and by itself it collects the whole heap for every 25 MB of them: half of what
// a reply of 8 MB takes. With their bytes counted as part of the heap it does so three times more seldom (measured).
setFlagsFromString('--external-memory-accounted-in-global-limit');
// From the second start on the types need not be stripped again: half the start-up time, a fifth less memory.
module.enableCompileCache();
const source = new URL('../src/cli/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
