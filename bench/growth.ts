/**
 * What a catalogue of 500 to 500,000 tools takes: processor time a query, the start from the kept index, the first build, and
 * memory at rest; as a table, and as `docs/growth.svg`.
 */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeCatalogue } from './large-catalogue.ts';
import { type Curve, logLogPicture } from './log-log-picture.ts';
import { adminKey, checkout, importCatalogue, residentAtRest, start } from './start.ts';
import { cpuMs, leaveFirstCore, load, printTable, type Served } from './support.ts';

const sizes = [500, 5_000, 50_000, 150_000, 500_000];
/** Of the public catalogue: 28,000 servers to 150,000 tools. */
const toolsPerServer = 150 / 28;
const picture = fileURLToPath(new URL('../docs/growth.svg', import.meta.url));

type Point = {
  readonly tools: number;
  readonly queryMs: number;
  readonly readyMs: number;
  readonly buildMs: number;
  readonly megabytes: number;
};

export async function run(): Promise<void> {
  leaveFirstCore();
  const points: Point[] = [];
  for (const tools of sizes) points.push(await measure(tools));
  printTable(
    ['tools', 'CPU ms a query', 'ready again after s', 'first build s', 'MB at rest'],
    points.map(({ tools, queryMs, readyMs, buildMs, megabytes }) => [
      tools.toLocaleString('en'),
      queryMs.toFixed(2),
      (readyMs / 1000).toFixed(2),
      (buildMs / 1000).toFixed(2),
      megabytes.toFixed(0),
    ]),
  );
  const curve = (name: string, of: (point: Point) => number): Curve => ({
    name,
    points: points.map((point) => [point.tools, of(point)]),
  });
  const curves = [
    curve('first build, ms', ({ buildMs }) => buildMs),
    curve('ready again, ms', ({ readyMs }) => readyMs),
    curve('memory at rest, MB', ({ megabytes }) => megabytes),
    curve('processor time a query, ms', ({ queryMs }) => queryMs),
  ];
  writeFileSync(picture, logLogPicture('Growth with the number of tools', 'tools', curves));
}

async function measure(tools: number): Promise<Point> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const file = join(folder, 'catalogue.jsonl');
  await writeCatalogue(file, Math.round(tools / toolsPerServer), tools);
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
  };
  importCatalogue(file, env);
  const built = await start(checkout, env);
  await built.served.stop();
  const { served, seconds } = await start(checkout, env);
  const queryMs = await timeQueries(served, await queriesOf(file));
  const megabytes = await residentAtRest(served);
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
  return { tools, queryMs, readyMs: seconds * 1000, buildMs: built.seconds * 1000, megabytes };
}

/** One connection, distinct queries; ms of the processor each. */
async function timeQueries(served: Served, queries: readonly string[]): Promise<number> {
  const url = `${served.url}/v1/search`;
  const headers = { 'x-api-key': adminKey };
  let next = 0;
  const body = () => JSON.stringify({ query: `${queries[next++ % queries.length]} ${next}` });
  await load({ url, headers, body, connections: 1, seconds: 2 });
  const [before, first] = [cpuMs(served), next];
  await load({ url, headers, body, connections: 1, seconds: 5 });
  return (cpuMs(served) - before) / (next - first);
}

/** Six words of what some servers say of themselves. */
async function queriesOf(file: string): Promise<string[]> {
  const queries: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { description } = JSON.parse(line) as { readonly description: string };
    queries.push(description.split(' ').slice(4, 10).join(' '));
    if (queries.length === 1_000) break;
  }
  return queries;
}
