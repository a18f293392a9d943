/**
 * The first hour of somebody who has Node 20 with its npm, a shell and curl, and nothing else: the commands of README.md and
 * docs/getting-started.md, typed as they stand there, one after another, beginning with `npm ci`. What came of each stands in
 * docs/compatibility.md, written by `npm run first-hour`.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { temporaryFolder } from '../support/app.ts';
import { freePort } from '../support/free-port.ts';
import { agree } from '../support/mcp-oauth.ts';
import { root } from '../support/paths.ts';

const installed = join(root, 'test/full/clients/node_modules');
const skip = existsSync(join(installed, 'node20/bin/node'))
  ? false
  : 'needs npm ci --prefix test/full/clients, and Linux on x64: Node 20 as npm has it';

const isUpdate = process.env.UPDATE_FIRST_HOUR !== undefined;
const log = join(root, 'docs/compatibility.md');
const logged = /(?<=^## The first hour\n[\s\S]*?```text\n)[\s\S]*?(?=```$)/m;

const pages = ['README.md', 'docs/getting-started.md'].map((file) => readFileSync(join(root, file), 'utf8'));
/** What is installed where the newcomer sits, under its name. */
const tools = ['sh', 'bash', 'env', 'curl', 'uname'];
/** How this machine reaches a registry is its own affair. */
const passed =
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy|npm_config_(registry|userconfig|globalconfig|cache|cafile|strict_ssl|(https_)?proxy|noproxy))$/i;

/** The block of commands that has these words, or the words themselves where a sentence has them as code. */
function documented(words: string): string {
  for (const page of pages) {
    const blocks = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, kind = '']) =>
      ['', 'sh'].includes(kind),
    );
    const [, , block] = blocks.find(([, , text]) => text?.includes(words)) ?? [];
    if (block !== undefined) return block.trimEnd();
    if (page.includes(`\`${words}\``)) return words;
  }
  throw new Error(`no page has ${words}`);
}

class Newcomer {
  readonly commands: string[] = [];
  readonly #said: string[] = [];
  readonly #folder: string;
  readonly #env: Record<string, string | undefined>;
  readonly #port: string;

  constructor(t: TestContext, port: number) {
    const place = temporaryFolder(t);
    const bin = join(place, 'bin');
    this.#folder = join(place, 'mcprank');
    this.#port = String(port);
    for (const folder of [bin, join(place, 'home')]) mkdirSync(folder);
    const leftOut = new Set(['node_modules', '.git', '.tmp', '.mcprank', 'dist']);
    cpSync(root, this.#folder, { recursive: true, filter: (path) => !leftOut.has(basename(path)) });
    symlinkSync(join(installed, 'node20/bin/node'), join(bin, 'node'));
    for (const name of ['npm', 'npx'])
      symlinkSync(join(installed, `npm10/bin/${name}-cli.js`), join(bin, name));
    for (const name of tools)
      symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name));
    this.#env = {
      PATH: bin,
      HOME: join(place, 'home'),
      MCPRANK_PORT: this.#port,
      MCPRANK_SYNC: 'off',
      npm_config_cache: join(homedir(), '.npm'),
      npm_config_prefer_offline: 'true',
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => passed.test(name))),
    };
  }

  #start(command: string, env: Record<string, string>): { child: ChildProcess; text: () => string } {
    const child = spawn('bash', ['--norc', '-c', command.replaceAll('8787', this.#port)], {
      cwd: this.#folder,
      env: { ...this.#env, ...env },
      // Of its own: what a shell started ends with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
    return { child, text: () => text };
  }

  /** At most a few lines of what came, without npm's echo and what is this run's alone. */
  #log(command: string, output: string): void {
    const lines = stripVTControlCharacters(output)
      .replaceAll(this.#folder, '~/mcprank')
      .replaceAll(this.#env.HOME ?? '', '~')
      .replaceAll(this.#port, '8787')
      .replace(/sk_mcp_rank_\w+/g, 'sk_mcp_rank_…')
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^> |"level":"warn"/.test(line))
      .map((line) => (line.length > 150 ? `${line.slice(0, 150)} …` : line));
    this.commands.push(command);
    this.#said.push(`$ ${command}`, ...lines.slice(0, 6), ...(lines.length > 6 ? ['…'] : []), '');
  }

  /** A command that ends, and well; what it printed. */
  async type(command: string, env: Record<string, string> = {}): Promise<string> {
    const { child, text } = this.#start(`set -e; ${command}`, env);
    const [code] = (await once(child, 'close')) as [number | null];
    // In the first second of the first start; a person types slower.
    if (text().includes('The search index is still loading.')) return this.type(command, env);
    assert.equal(code, 0, `${command}: ${text()}`);
    this.#log(command, text());
    return text();
  }

  /** One that goes on; what it had printed when it said this. */
  async leave(
    t: TestContext,
    command: string,
    said: RegExp,
  ): Promise<{ text: string; end(): Promise<void> }> {
    const { child, text } = this.#start(command, {});
    const end = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      await once(child, 'close');
    };
    t.after(end);
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', () => said.test(text()) && resolve());
      child.once('close', () => reject(new Error(`${command}: ${text()}`)));
    });
    this.#log(command, text());
    return { text: text(), end };
  }

  get said(): string {
    return this.#said.join('\n');
  }
}

test('the first hour, with Node 20 and nothing else', { skip, timeout: 600_000 }, async (t) => {
  const newcomer = new Newcomer(t, await freePort());
  assert.match(await newcomer.type('node --version'), /^v20\./);
  const [first = ''] = documented('npm ci && npm start').split('\n');
  const started = await newcomer.leave(t, first.replace(/ *#.*/, ''), /listening on[\s\S]*sk_mcp_rank_\w+/);
  assert.doesNotMatch(started.text, /EBADENGINE|npm warn/i);
  const KEY = /sk_mcp_rank_\w+/.exec(started.text)?.[0] ?? '';
  assert.match(await newcomer.type(documented('localhost:8787/v1/search'), { KEY }), /"query_log_id"/);
  assert.match(await newcomer.type(documented('localhost:8787/v1/invocations'), { KEY }), /"recorded":true/);
  await started.end();

  const [file = '', start = ''] = documented('> mcp.json').split('\n');
  await newcomer.type(file);
  const again = await newcomer.leave(t, start, /mcp\.local_server\.ready/);
  assert.match(await newcomer.type(documented('read_graph'), { KEY }), /"entities":\[\]/);
  assert.match(
    await newcomer.type(documented('create_entities'), { KEY, BASE: baseOf(again.text) }),
    /likes tea/,
  );
  assert.match(
    await newcomer.type(documented('MIT=$(curl'), { KEY, BASE: baseOf(again.text) }),
    /search_nodes/,
  );
  assert.match(await newcomer.type(documented('npx mcprank keys create --developer me')), /sk_mcp_rank_\w+/);
  assert.match(await newcomer.type(documented('npx mcprank connect cursor')), /mcp\.json/);
  await newcomer.type('npx mcprank connect cursor --undo');
  await again.end();

  const double = await newcomer.leave(
    t,
    documented('npm run example examples/google-double.ts'),
    /export BASE=.*KEY=.*\n/,
  );
  const [, BASE = '', key = ''] = /BASE=(\S+) KEY=(\S+)/.exec(double.text) ?? [];
  const lines = documented('ask()').split('\n');
  const session = await newcomer.type(lines.slice(0, 3).join('\n'), { BASE, KEY: key });
  await agree((JSON.parse(session) as { auth_url: string }).auth_url);
  const forAnn = [...lines.slice(0, 2), ...lines.slice(3)].join('\n');
  assert.match(await newcomer.type(forAnn, { BASE, KEY: key }), /"connected":true[\s\S]*"summary"/);
  await double.end();

  const [demo = ''] = documented('npx mcprank demo').split('\n');
  assert.match(await newcomer.type(demo), /sk_mcp_rank_\w+/);

  const text = readFileSync(log, 'utf8');
  if (isUpdate)
    writeFileSync(
      log,
      text.replace(logged, () => newcomer.said),
    );
  const typed = [...(readFileSync(log, 'utf8').match(logged)?.[0] ?? '').matchAll(/^\$ (.*)/gm)].map(
    ([, line]) => line,
  );
  assert.deepEqual(
    typed,
    newcomer.commands.map((command) => command.split('\n')[0]),
    'npm run first-hour writes the log anew',
  );
});

function baseOf(text: string): string {
  return /listening on (http:\S+)/.exec(text)?.[1] ?? '';
}
