import type { ViewMask } from './query/seen-terms.ts';
import type { SearchFilters } from './search-model.ts';
import type { SearchIndex } from './segments/search-index.ts';

/** Which servers of an index pass, and how many. */
export type FilteredServers = {
  /** 1 for every server that passes; null where all do. */
  readonly allowed: Uint8Array | null;
  readonly total: number;
};

type Test = (server: number) => boolean;

/** Filters come before the limit. `isConnected`: whether the user can call a server now; `isCallable`: whether anybody can. */
export function filterServers(
  { columns, serverCount }: SearchIndex,
  { filters, mask }: { readonly filters: SearchFilters; readonly mask: ViewMask | null },
  by: { readonly isConnected: Test; readonly isCallable: Test },
): FilteredServers {
  const tests = testsOf(columns, filters, by);
  let total = mask?.serverCount ?? serverCount;
  if (tests.length === 0) return { allowed: mask?.servers ?? null, total };
  const allowed = mask?.servers.slice() ?? new Uint8Array(serverCount).fill(1);
  for (const passes of tests)
    for (let server = 0; server < serverCount; server++) {
      if (allowed[server] === 0 || passes(server)) continue;
      allowed[server] = 0;
      total--;
    }
  return { allowed, total };
}

function testsOf(
  columns: SearchIndex['columns'],
  filters: SearchFilters,
  { isConnected, isCallable }: { readonly isConnected: Test; readonly isCallable: Test },
): Test[] {
  const { names } = columns;
  const { verified, connected, callable } = filters;
  const oneOf = (column: Uint16Array, wanted: readonly string[] | undefined): Test[] => {
    if (wanted === undefined) return [];
    const numbers = new Set(wanted.map((name) => names.indexOf(name)));
    return [(server) => numbers.has(column[server]!)];
  };
  return [
    ...oneOf(columns.transport, filters.transport),
    ...oneOf(columns.auth, filters.auth),
    ...oneOf(columns.category, filters.category),
    ...(verified === undefined ? [] : [(server: number) => columns.verified[server] === Number(verified)]),
    ...(callable === undefined ? [] : [(server: number) => isCallable(server) === callable]),
    ...(connected === undefined ? [] : [(server: number) => isConnected(server) === connected]),
  ];
}
