/** The labelled query sets: where they lie, how they are read, how a ranking is judged. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogServer } from '../src/catalog/catalog.ts';

export type Labelled = {
  readonly query: string;
  readonly relevant: readonly string[];
  /** `server::tool`. */
  readonly relevant_tools?: readonly string[];
  /** Interchangeable servers; a group counts once, at its first hit. */
  readonly groups?: readonly (readonly string[])[];
};

export type QuerySet = {
  readonly name: string;
  readonly catalog: string;
  readonly queries: string;
  /** nDCG@10 × 100 that the project promises. */
  readonly bar: number;
  /** What is found: servers with tools, or tools that are each their own server. */
  readonly level: 'server' | 'tool';
};

export const querySets: readonly QuerySet[] = [
  row('metatool', 68.5, 'server'),
  row('toolbench', 82, 'server'),
  row('toolalpaca', 83, 'server'),
  row('toolret_apigen', 79.5, 'tool'),
  row('sealtools', 90, 'tool'),
  row('toolret_toolink', 48, 'tool'),
  row('toollens', 40, 'server'),
  { ...row('mcpflow_on_toucan', 55.5, 'server'), catalog: 'mcp_smithery_toucan' },
  { ...row('known_item_on_toucan', 87.5, 'server'), catalog: 'mcp_smithery_toucan', queries: 'dev.jsonl' },
];
export const meanBar = 72.0;

function row(name: string, bar: number, level: 'server' | 'tool'): QuerySet {
  return { name, catalog: name, queries: 'queries.jsonl', bar, level };
}

/** The sets above that the folder has; of another folder every catalog with queries, without a bar. */
export function setsIn(folder: string): readonly QuerySet[] {
  const known = querySets.filter(({ name, queries }) => existsSync(join(folder, name, queries)));
  if (known.length > 0) return known;
  return readdirSync(folder).flatMap((name): QuerySet[] => {
    const queries = ['queries.jsonl', 'dev.jsonl'].find((file) => existsSync(join(folder, name, file)));
    if (queries === undefined || !existsSync(join(folder, name, 'catalogue.jsonl'))) return [];
    return [{ name, catalog: name, queries, bar: 0, level: 'server' }];
  });
}

/** The folder with the sets, or the end of the program with a word on what is missing. */
export function evalFolder(named: string | undefined): string {
  const folder = named ?? new URL('../../shared/eval', import.meta.url).pathname;
  if (existsSync(folder) && setsIn(folder).length > 0) return folder;
  console.error(`There are no query sets in ${folder}: name the folder that has them on the command line.`);
  process.exit(2);
}

type RawTool = { name?: string; description?: string; inputSchema?: unknown };
type RawServer = {
  id: string;
  name?: string;
  description?: string;
  remote_url?: string;
  category?: string | null;
  tags?: string[];
  tools?: RawTool[];
  popularity?: { use_count?: number };
};

/** A catalog file as the servers that search is fed with; use counts become popularity on a log scale. */
export function readCatalog(file: string): CatalogServer[] {
  const raw = readLines<RawServer>(file);
  const most = Math.log1p(Math.max(1, ...raw.map(({ popularity }) => popularity?.use_count ?? 0)));
  return raw.map((server) => ({
    id: server.id,
    name: server.name ?? '',
    description: server.description ?? '',
    remoteUrl: server.remote_url ?? null,
    transport: 'streamable-http',
    authType: null,
    category: server.category ?? null,
    tags: server.tags ?? [],
    verified: false,
    popularity: Math.log1p(server.popularity?.use_count ?? 0) / most,
    tools: (server.tools ?? []).map(({ name, description, inputSchema }) => ({
      name: name ?? '',
      description: description ?? '',
      inputSchema: JSON.stringify(inputSchema ?? {}),
    })),
  }));
}

export function readQueries(folder: string, set: QuerySet): Labelled[] {
  return readLines<Labelled>(join(folder, set.name, set.queries));
}

/** Queries that were answered before: `train.jsonl` where there is one, else every second query. */
export function readLogged(folder: string, set: QuerySet) {
  const queries = readQueries(folder, set);
  const train = join(folder, set.name, 'train.jsonl');
  if (existsSync(train)) return { trained: true, logged: readLines<Labelled>(train), asked: queries };
  const half = (odd: number) => queries.filter((_, i) => i % 2 === odd);
  return { trained: false, logged: half(1), asked: half(0) };
}

function readLines<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Normalised discounted gain of the first ten: 1 when the right ones stand first. */
export function ndcg10(ranked: readonly string[], { relevant, groups }: Labelled): number {
  const wanted = groups ?? relevant.map((id) => [id]);
  const found = new Set<number>();
  let gain = 0;
  for (const [i, id] of ranked.slice(0, 10).entries()) {
    const group = wanted.findIndex((ids, g) => !found.has(g) && ids.includes(id));
    if (group < 0) continue;
    found.add(group);
    gain += 1 / Math.log2(i + 2);
  }
  let ideal = 0;
  for (let i = 0; i < Math.min(10, wanted.length); i++) ideal += 1 / Math.log2(i + 2);
  return ideal === 0 ? 0 : gain / ideal;
}
