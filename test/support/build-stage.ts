/** What the Dockerfile's first stage does, without an engine: its context, its build, and the package made of it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { root } from './paths.ts';

export const run = promisify(execFile);
export const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

export type BuildStage = {
  /** `/app` of the build stage, with what was built. */
  readonly app: string;
  /** What `npm pack` makes there. */
  readonly tarball: string;
};

const places: string[] = [];
// At the end of the file: within a test it would be at the end of that test.
after(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

let building: Promise<BuildStage> | undefined;

/** Once for all tests of a file. */
export function buildStage(): Promise<BuildStage> {
  building ??= build();
  return building;
}

async function build(): Promise<BuildStage> {
  const place = mkdtempSync(join(tmpdir(), 'mcprank-build-'));
  places.push(place);
  const app = join(place, 'app');
  mkdirSync(app);
  const left = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  for (const name of readdirSync(root))
    if (!left.includes(name) && name !== 'node_modules')
      cpSync(join(root, name), join(app, name), { recursive: true });
  // Whoever built here before must not stand in for the stage's own build.
  rmSync(join(app, 'console/dist'), { recursive: true, force: true });
  symlinkSync(join(root, 'node_modules'), join(app, 'node_modules'));
  const [, commands = ''] = /^COPY \. \.\nRUN (.*) && npm prune --omit=dev$/m.exec(dockerfile) ?? [];
  await run('bash', ['-ec', commands], { cwd: app, env: programEnv });
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', place], {
    cwd: app,
    env: programEnv,
  });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  return { app, tarball: join(place, filename) };
}

/** Programs find the Node that runs the tests. */
export const programEnv = {
  ...process.env,
  PATH: `${join(process.execPath, '..')}:${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  npm_config_update_notifier: 'false',
};
