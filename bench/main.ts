/**
 * npm run bench [-- NAME … [--against FOLDER] [--seeds N]]: measures against what it compares with, side by side in one run, and prints tables.
 * Figures of different machines do not compare; ratios within one run do.
 */
import { parseArgs } from 'node:util';
import { machine } from './support.ts';

/**
 * `against`: a checkout of another commit, dependencies installed, to be measured beside this one, as `mcp`, `proxy` and `changes` do.
 * `seeds`: how many kinds of a hostile tenant `fairness` tries.
 */
type Options = { readonly against: string | undefined; readonly seeds: number };
type Bench = { run(options: Options): Promise<void> };
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  search: () => import('./search.ts'),
  'search-http': () => import('./search-http.ts'),
  invocations: () => import('./invocations.ts'),
  'mcp-doors': async () => ({ run: (await import('./mcp.ts')).everyDoor }),
  'mcp-bounds': async () => ({ run: (await import('./mcp.ts')).bounds }),
  'mcp-others': async () => ({ run: (await import('./mcp.ts')).besideOthers }),
  rules: () => import('./rules-http.ts'),
  identity: () => import('./identity.ts'),
  proxy: () => import('./proxy.ts'),
  start: () => import('./start.ts'),
  changes: () => import('./changes.ts'),
  growth: () => import('./growth.ts'),
  scale: () => import('./scale.ts'),
  'shared-limits': () => import('./shared-limits.ts'),
  overload: async () => ({ run: (await import('./load.ts')).overload }),
  soak: async () => ({ run: (await import('./load.ts')).soak }),
  'soak-streams': () => import('./soak-streams.ts'),
  embedding: () => import('./embedding.ts'),
  fairness: () => import('./fairness.ts'),
  agent: () => import('./agent.ts'),
  console: () => import('./console-pages.ts'),
};
/** Names that stand for several programs. */
const groups: Readonly<Record<string, readonly string[]>> = {
  search: ['search', 'search-http'],
  mcp: ['mcp-doors', 'mcp-bounds', 'mcp-others'],
};

const { positionals: asked, values } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, seeds: { type: 'string', default: '9' } },
});
/** Take minutes: only when it is asked for. */
const seldom = new Set(['changes', 'console', 'growth', 'soak', 'soak-streams', 'embedding', 'fairness']);
const usual = Object.keys(benches).filter((name) => !seldom.has(name));
const names = (asked.length === 0 ? usual : asked).flatMap((name) => groups[name] ?? [name]);
const unknown = names.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; expected ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
// So that what was started ends, too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
console.log(machine());
for (const name of new Set(names)) {
  console.log(`\n## ${name}   (npm run bench -- ${name})`);
  await (await benches[name]?.())?.run({ against: values.against, seeds: Number(values.seeds) });
}
process.exit(0);
