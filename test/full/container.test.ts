import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../support/paths.ts';

const run = promisify(execFile);
const last =
  readFileSync(join(root, 'Dockerfile'), 'utf8')
    .split(/^FROM /m)
    .at(-1) ?? '';
/** What the image starts: the JSON forms of its last stage. */
const form = (name: string) =>
  JSON.parse(new RegExp(`${name} (\\[.*\\])$`, 'm').exec(last)?.[1] ?? '[]') as string[];

/** Everything below it can be read and not written. */
function seal(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) seal(path);
    else if (entry.isFile()) chmodSync(path, 0o444);
  }
  chmodSync(folder, 0o555);
}
function unseal(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) unseal(join(folder, entry.name));
}

const listing = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('node_modules'))
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);

test('the files of the image, and nothing else, serve from a folder that cannot be written to; its health check agrees', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'mcprank-image-'));
  const [built, app, data] = ['built', 'app', 'data'].map((name) => join(place, name));
  assert.ok(built !== undefined && app !== undefined && data !== undefined);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(built, 'dist')], {
    cwd: root,
  });
  await run(process.execPath, [tsc, '-p', 'sdk', '--outDir', join(built, 'dist/sdk')], { cwd: root });
  // As `npm run build` does: what is loaded beside the code, and no compiler copies.
  cpSync(join(root, 'src/search/index/scan.wasm'), join(built, 'dist/search/index/scan.wasm'));
  mkdirSync(app);
  mkdirSync(data, { mode: 0o700 });
  const copied = [...last.matchAll(/^COPY --from=build \/app\/(\S+) /gm)].map(([, name = '']) => name);
  assert.deepEqual(copied, ['package.json', 'node_modules', 'bin', 'dist', 'model', 'starter']);
  for (const name of copied)
    if (name === 'node_modules') symlinkSync(join(root, name), join(app, name));
    else cpSync(join(name === 'dist' ? built : root, name), join(app, name), { recursive: true });
  seal(app);
  t.after(() => {
    unseal(app);
    rmSync(place, { recursive: true, force: true });
  });
  // Whoever runs this as root could write all the same: that nobody did is looked at in the end.
  const before = listing(app);

  const [, ...entry] = form('ENTRYPOINT');
  const env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    MCPRANK_DATA_DIR: data,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
  };
  const child = spawn(process.execPath, [...entry, ...form('^CMD')], { cwd: app, env });
  const ended = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk;
        const found = /https?:\/\/[\d.]+:\d+/.exec(said)?.[0];
        if (found !== undefined) resolve(found);
      });
    child.on('exit', () => reject(new Error(said)));
  });
  const check = form('  CMD');
  assert.equal(check[0], 'node');
  await run(process.execPath, check.slice(1), { env: { MCPRANK_PORT: new URL(url).port } });
  await assert.rejects(run(process.execPath, check.slice(1), { env: { MCPRANK_PORT: '9' } }));
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], said);
  assert.deepEqual(listing(app), before);
  assert.ok(readdirSync(data).includes('mcprank.db'));

  // The client that the package exports is among the files.
  const { MCPRankClient } = (await import(
    join(built, 'dist/sdk/client.js')
  )) as typeof import('../../sdk/client.ts');
  assert.equal(typeof new MCPRankClient({ baseUrl: 'http://x', apiKey: 'x' }).search, 'function');
});
