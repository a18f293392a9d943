#!/usr/bin/env node
// In a checkout the sources run as they are; a published package carries them compiled, because Node strips no
// types below node_modules.
import { existsSync } from 'node:fs';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `mcprank needs Node 24 or newer; this is ${process.version}. In a checkout \`npm ci\` brings the right one: use npm start or npx mcprank.\n`,
  );
  process.exit(3);
}
const source = new URL('../src/cli/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
