import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildStage, dockerfile, programEnv, run } from '../support/build-stage.ts';
import { root } from '../support/paths.ts';

const last = dockerfile.split(/^FROM /m).at(-1) ?? '';
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
  const [app, data] = [join(place, 'app'), join(place, 'data')];
  const built = (await buildStage()).app;
  mkdirSync(app);
  mkdirSync(data, { mode: 0o700 });
  const copied = [...last.matchAll(/^COPY --from=build \/app\/(\S+) /gm)].map(([, name = '']) => name);
  assert.deepEqual(copied, [
    'package.json',
    'node_modules',
    'bin',
    'dist',
    'console/dist',
    'model',
    'starter',
  ]);
  for (const name of copied)
    if (name === 'node_modules') symlinkSync(join(root, name), join(app, name));
    else cpSync(join(built, name), join(app, name), { recursive: true });
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
  const { url, said } = await listening(child);
  const check = form('  CMD');
  assert.equal(check[0], 'node');
  await run(process.execPath, check.slice(1), { env: { MCPRANK_PORT: new URL(url).port } });
  await assert.rejects(run(process.execPath, check.slice(1), { env: { MCPRANK_PORT: '9' } }));
  await assertConsole(url);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], said());
  assert.deepEqual(listing(app), before);
  assert.ok(readdirSync(data).includes('mcprank.db'));
});

/** The page at / and what it loads are there. */
async function assertConsole(url: string): Promise<void> {
  const page = await fetch(`${url}/`, { headers: { accept: 'text/html' } });
  const html = await page.text();
  assert.equal(page.status, 200, html);
  const [, script = ''] = /<script[^>]* src="([^"]+\.js)"/.exec(html.replace('/theme.js', '')) ?? [];
  assert.match(script, /^\/assets\//);
  const loaded = await fetch(url + script);
  assert.deepEqual([loaded.status, (await loaded.text()).length > 10_000], [200, true]);
}

async function listening(child: ReturnType<typeof spawn>): Promise<{ url: string; said: () => string }> {
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        said += chunk;
        const found = /listening on (https?:\/\/[\d.]+:\d+)/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
    child.on('exit', () => reject(new Error(said)));
  });
  return { url, said: () => said };
}

const program = `
import { MCPRankClient, type SearchHit } from 'mcprank/client';
const rank = new MCPRankClient({ baseUrl: process.env.BASE!, apiKey: process.env.KEY! });
const { servers } = await rank.search({ query: 'remember a fact', limit: 1 });
const hit: SearchHit | undefined = servers[0];
console.log('found', hit?.id.length);
// @ts-expect-error: a limit is a number
() => rank.search({ query: 'x', limit: 'many' });
`;

const typed = `
import { MCPRankClient, type SearchHit } from 'mcprank/client';
const rank = new MCPRankClient({ baseUrl: 'http://127.0.0.1:1', apiKey: 'k' });
export const first = async (): Promise<SearchHit | undefined> => (await rank.search({ query: 'x' })).servers[0];
// @ts-expect-error: a limit is a number
export const wrong = () => rank.search({ query: 'x', limit: 'many' });
`;

/** A project of somebody else's with the package in it; null where no registry has its dependencies. */
async function foreignProject(t: TestContext): Promise<string | null> {
  const { tarball } = await buildStage();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-foreign-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{"name": "foreign", "private": true, "type": "module"}');
  try {
    await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', tarball], {
      cwd: folder,
      env: programEnv,
    });
  } catch (error) {
    if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT/.test(String(error))) throw error;
    return null;
  }
  return folder;
}

test('the package, in a project of somebody else: npx mcprank serves, and mcprank/client is imported, types and all', async (t) => {
  const folder = await foreignProject(t);
  if (folder === null) return t.skip('needs a package registry');
  const inside = join(folder, 'node_modules/mcprank');
  const sources = readdirSync(inside, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name),
  );
  assert.deepEqual(sources, [], 'no sources: Node strips no types there');

  const env = { ...programEnv, MCPRANK_PORT: '0', MCPRANK_SYNC: 'off', MCPRANK_PROBE: 'off' };
  const { version } = JSON.parse(readFileSync(join(inside, 'package.json'), 'utf8')) as { version: string };
  const told = await run('npx', ['--no-install', 'mcprank', 'version'], { cwd: folder, env });
  assert.match(told.stdout, new RegExp(`^mcprank ${version} `));
  const child = spawn(join(folder, 'node_modules/.bin/mcprank'), ['serve'], { cwd: folder, env });
  t.after(() => child.kill('SIGKILL'));
  const { url, said } = await listening(child);
  await assertConsole(url);

  writeFileSync(join(folder, 'program.mts'), program);
  const flags = [
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--skipLibCheck',
    'false',
  ];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  await run('tsc', [...flags, ...types, 'program.mts'], { cwd: folder, env });
  // As other projects set TypeScript: each kind of file, each way to look for a module.
  for (const kind of ['mts', 'cts']) writeFileSync(join(folder, `typed.${kind}`), typed);
  for (const way of ['node16', 'nodenext', 'bundler']) {
    const module = way === 'bundler' ? 'preserve' : way;
    const chosen = [
      '--module',
      module,
      '--moduleResolution',
      way,
      '--target',
      'es2023',
      '--strict',
      '--noEmit',
    ];
    await run('tsc', [...chosen, ...types, 'typed.mts', 'typed.cts'], { cwd: folder, env });
  }
  writeFileSync(
    join(folder, 'program.cjs'),
    "console.log(typeof require('mcprank/client').MCPRankClient, require('mcprank/package.json').name);",
  );
  const required = await run(process.execPath, ['program.cjs'], { cwd: folder, env });
  assert.equal(required.stdout, 'function mcprank\n');
  const elsewhere = { ...env, MCPRANK_DATA_DIR: join(folder, 'none') };
  const storeless = await run('npx', ['--no-install', 'mcprank', 'keys', 'list'], {
    cwd: folder,
    env: elsewhere,
  }).catch((error: { readonly stdout: string; readonly stderr: string }) => error);
  assert.match(storeless.stderr, /`npx mcprank serve` makes a new one/, 'a hint that can be typed here');
  while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise((next) => setTimeout(next, 50));
  const KEY = /sk_mcp_rank_\w{32}/.exec(said())?.[0] ?? '';
  const ran = await run(process.execPath, ['program.mts'], { cwd: folder, env: { ...env, BASE: url, KEY } });
  assert.match(ran.stdout, /^found \d+/);

  // What a start does not load is not in the bundle: it is found where npm put it.
  const registered = await fetch(`${url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://client.example/back'] }),
  });
  assert.equal(registered.status, 201, await registered.text());
  const nobody = { DATABASE_URL: 'postgres://x:y@127.0.0.1:9/z' };
  const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  const failed = await run('npx', ['--no-install', 'mcprank', 'serve'], {
    cwd: folder,
    env: { ...env, ...nobody, ...otlp },
  }).catch((error: { readonly stdout: string; readonly stderr: string }) => error);
  assert.match(failed.stderr, /The database is unreachable/);
});
