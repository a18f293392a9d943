/**
 * Search in process, distinct queries, one thread: three sizes of catalog, how long they take to build, and what
 * they weigh. The catalogs are real ones; the largest repeats a real one with variation.
 */
import { existsSync } from 'node:fs';
import { evalFolder, querySets, readCatalog, readQueries } from '../eval/query-sets.ts';
import { systemClock } from '../src/base/clock.ts';
import type { CatalogChange, CatalogServer } from '../src/catalog/catalog.ts';
import { createSearch, defaultSearchConfig, loadBuiltInEmbedder } from '../src/search/search.ts';
import { besideRules, printRules } from './search-rules.ts';
import { printTable } from './support.ts';

type Size = { servers: number; tools: number; catalog: string; p50Ms: number; p99Ms: number };

const batchServers = 100;
const warmUpQueries = 500;

export async function run(): Promise<void> {
  const folder = evalFolder(undefined);
  const toucan = `${folder}/mcp_smithery_toucan/catalogue.jsonl`;
  const union = `${folder}/../catalogs/mcp_all/catalogue.jsonl`;
  const sizes: Size[] = [
    { servers: 2_120, tools: 17_578, catalog: toucan, p50Ms: 0.5, p99Ms: 2 },
    { servers: 12_558, tools: 30_182, catalog: union, p50Ms: 1, p99Ms: 4 },
    { servers: 28_000, tools: 150_000, catalog: toucan, p50Ms: 2.5, p99Ms: 8 },
  ];
  const queries = distinctQueries(folder);
  const rows: string[][] = [];
  const ruled: string[][] = [];
  for (const size of sizes.filter(({ catalog }) => existsSync(catalog)))
    rows.push(await measure(size, queries, ruled));
  printTable(
    ['servers', 'tools', 'build ms', 'index MB', 'rss MB', 'p50 ms', 'bar', 'p99 ms', 'bar', 'queries'],
    rows,
  );
  printRules(ruled);
}

function distinctQueries(folder: string): string[] {
  const wanted = ['known_item_on_toucan', 'mcpflow_on_toucan', 'metatool'];
  const sets = querySets.filter(({ name }) => wanted.includes(name));
  return [...new Set(sets.flatMap((set) => readQueries(folder, set).map(({ query }) => query)))].slice(
    0,
    3_000,
  );
}

/** The catalog, repeated under new ids and names until there are enough servers, tools thinned to their number. */
function* changesOf({ servers, tools, catalog }: Size): Generator<CatalogChange[]> {
  const source = readCatalog(catalog);
  const perRound = source.reduce((sum, server) => sum + server.tools.length, 0);
  let [made, madeTools] = [0, 0];
  let batch: CatalogChange[] = [];
  for (let round = 0; made < servers; round++) {
    for (const server of source.slice(0, servers - made)) {
      const kept = Math.round(((made + 1) * tools) / servers - madeTools);
      const some = tools === perRound ? server.tools : server.tools.slice(0, Math.max(0, kept));
      madeTools += some.length;
      made++;
      batch.push({ revision: made, id: `${server.id}~${round}`, server: varied(server, round, made, some) });
      if (batch.length === batchServers) yield batch.splice(0);
    }
  }
  if (batch.length > 0) yield batch;
  batch = [];
}

function varied(
  server: CatalogServer,
  round: number,
  n: number,
  tools: CatalogServer['tools'],
): CatalogServer {
  const suffix = round === 0 ? '' : ` edition ${n}`;
  return { ...server, id: `${server.id}~${round}`, name: `${server.name}${suffix}`, tools };
}

/** One row of each table. */
async function measure(size: Size, queries: readonly string[], ruled: string[][]): Promise<string[]> {
  const search = createSearch({
    async *changesSince(revision) {
      if (revision === 0) yield* changesOf(size);
    },
    embedder: loadBuiltInEmbedder(),
    clock: systemClock,
    newQueryLogId: () => 'ql_bench',
    recordQuery: () => {},
    config: defaultSearchConfig,
    onError: (error) => console.error(error),
  });
  await search.start();
  const caller = { keyId: 'key_bench', developerId: 'dev_bench' };
  const ask = (query: string) =>
    search.find({ caller, query, limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0 });
  for (const query of queries.slice(0, warmUpQueries)) await ask(`${query} warm`);
  const times: number[] = [];
  for (const query of queries) {
    const began = performance.now();
    await ask(query);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? Number.NaN).toFixed(2);
  const { servers, tools, builtInMs, snapshotBytes } = search.stats();
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  const rss = megabytes(process.memoryUsage().rss);
  ruled.push(await besideRules(search, queries));
  await search.close();
  return [
    ...[servers, tools].map(String),
    builtInMs.toFixed(0),
    megabytes(snapshotBytes),
    rss,
    ...[at(0.5), `≤ ${size.p50Ms}`, at(0.99), `≤ ${size.p99Ms}`, String(times.length)],
  ];
}
