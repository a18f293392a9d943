import { readFileSync } from 'node:fs';
import { Problem } from '../../base/problem.ts';
import type { Secret } from '../../base/secret.ts';
import { builtinProviders } from './builtin-providers.ts';
import type { Provider } from './oauth-provider.ts';
import { mergeProvider, mergeProviders } from './provider-file.ts';

export type ProviderTable = {
  all(): readonly Provider[];
  find(name: string): Provider | undefined;
  /** Throws `not_found`. */
  get(name: string): Provider;
  /** The row of this authorization server, whoever names it. */
  ofServer(server: AuthorizationServerNames): Provider | undefined;
  /** What is wrong with a row that would be declared. */
  faultsOf(declared: DeclaredRow): readonly string[];
  /** Over the rows of the settings, in place of those declared before. A row with a fault stays out; answers what is wrong. */
  declare(declared: readonly DeclaredRow[]): readonly string[];
};
type DeclaredRow = { readonly name: string; readonly row: unknown };

type AuthorizationServerNames = {
  readonly issuer: string;
  readonly authorization_endpoint?: string | undefined;
};

export type ProvidersConfig = {
  readonly providersFile: string | null;
  readonly googleClientId: string | null;
  readonly googleClientSecret: Secret | null;
};

/** The table of providers; throws `setup` with all its faults. */
export function createProviderTable(config: ProvidersConfig): ProviderTable {
  const { googleClientId: clientId, googleClientSecret: clientSecret } = config;
  if ((clientId === null) !== (clientSecret === null))
    throw new Problem('setup', 'GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET: set both or neither');
  const fromSettings: Partial<Record<string, Partial<Provider>>> =
    clientId === null ? {} : { google: { clientId, clientSecret } };
  const rows = builtinProviders.map((row) => ({ ...row, ...fromSettings[row.name] }));
  const ofSettings = new Map(
    mergeProviders(rows, readFile(config.providersFile)).map((row) => [row.name, row]),
  );
  let byName: ReadonlyMap<string, Provider> = ofSettings;
  const merge = ({ name, row }: DeclaredRow) => mergeProvider(ofSettings.get(name), name, row);
  const find = (name: string) => byName.get(name);
  return {
    all: () => [...byName.values()],
    find,
    // A built-in row that was moved elsewhere still knows how its own issuer wants it.
    ofServer: (server) => [...byName.values(), ...builtinProviders].find((row) => isOfServer(row, server)),
    faultsOf: (declared) => merge(declared).faults,
    declare(declared) {
      const merged = declared.map(merge);
      const sound = merged.filter(({ faults }) => faults.length === 0);
      byName = new Map([...ofSettings, ...sound.map(({ row }) => [row.name, row] as const)]);
      return merged.flatMap(({ faults }) => faults);
    },
    get(name) {
      const row = find(name);
      if (row === undefined)
        throw new Problem('not_found', `No provider ${name}; known are ${[...byName.keys()].join(', ')}`);
      return row;
    },
  };
}

/** By its issuer; where a provider has one for each tenant (Microsoft), by where its sign-in is. */
function isOfServer(
  { issuer, authorizationUrl }: Provider,
  { issuer: named, authorization_endpoint: endpoint = '' }: AuthorizationServerNames,
): boolean {
  if (issuer !== null) return URL.parse(issuer)?.href === URL.parse(named)?.href;
  const [own, theirs] = [URL.parse(authorizationUrl ?? ''), URL.parse(endpoint)];
  return own !== null && theirs !== null && own.origin === theirs.origin;
}

function readFile(path: string | null): string | null {
  if (path === null) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new Problem('setup', `MCPRANK_PROVIDERS: ${path} cannot be read (${why})`, { cause });
  }
}
