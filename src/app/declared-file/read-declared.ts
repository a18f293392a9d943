import { type Static, Type } from 'typebox';
import { operatorDeveloper, usualScopes } from '../../access/access.ts';
import { urlFault } from '../../api/catalog-admin-routes.ts';
import { strict, text } from '../../api/field-schemas.ts';
import { apiKeyRequestSchema, checkAddresses, timeOf } from '../../api/key-routes.ts';
import { rightsRequestSchema, rightsShape, toRights } from '../../api/server-rights.ts';
import {
  bindingsRequestSchema,
  toBindings,
  toolsetPath,
  toolsetRequestSchema,
  toToolsetInput,
} from '../../api/toolset-schemas.ts';
import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Catalog, ServerInput } from '../../catalog/catalog.ts';
import { type DeclaredProviders, splitSecrets } from '../../connections/connections.ts';
import { validator } from '../../http/input/validate.ts';
import { type DeclaredFile, type FieldPath, fieldName } from './declared-file.ts';
import type { Declared, DeclaredServer, DeclaredToolset, KeyEntry, ProviderEntry } from './declared-model.ts';
import { serverBelowSchema } from './declared-schemas.ts';

export type ReadDeps = {
  readonly parseServer: Catalog['parse'];
  /** Throws for a URL that we would not dial. */
  readonly checkUrl: (url: string) => void;
  readonly declaredProviders: Pick<DeclaredProviders, 'all' | 'faultsOf'>;
  /** Where `${NAME}` of a header or a provider's secret comes from. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

const sections = ['developers', 'servers', 'toolsets', 'keys', 'providers'] as const;
/** The catalogue format. What it does not know is a typing error here: `visibilty: private` must not go unnoticed. */
const serverMembers = [
  ...['id', 'name', 'description', 'version', 'remote_url', 'transport', 'auth_type', 'oauth', 'category'],
  ...[
    'tags',
    'verified',
    'repository_url',
    'launch',
    'revision',
    'popularity',
    'headers',
    'client_credentials',
    'user_credentials',
    'tools',
  ],
];
const rightsMembers = Object.keys(rightsShape);
const keySchema = Type.Object(
  {
    ...apiKeyRequestSchema.properties,
    digest: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'the SHA-256 of the text of the key, 64 hex digits',
    }),
  },
  strict,
);
const fileToolsetSchema = Type.Object(
  { ...toolsetRequestSchema.properties, bindings: Type.Optional(bindingsRequestSchema) },
  strict,
);
const shape = <T>(schema: Parameters<typeof validator>[0]) => {
  const check = validator(schema, '');
  return (value: unknown) => {
    try {
      return check(value) as T;
    } catch (error) {
      // Of a fault in the whole there is no field to be named.
      if (error instanceof Problem) throw new Problem(error.kind, error.detail.replace(/^: /, ''));
      throw error;
    }
  };
};
const checkRights = shape<Static<typeof rightsRequestSchema>>(rightsRequestSchema);
const checkServerBelow = shape<JsonObject>(serverBelowSchema);
const checkToolset = shape<Static<typeof fileToolsetSchema>>(fileToolsetSchema);
const checkToolsetName = shape<Static<typeof toolsetPath>>(toolsetPath);
const checkKey = shape<Static<typeof keySchema>>(keySchema);
const checkName = shape<string>(text(100));

/** Everything that the file says, checked by itself: what it says of things that only the store knows is checked later. */
export function readDeclared(file: DeclaredFile, deps: ReadDeps): Declared {
  const { value } = file;
  if (!isObject(value)) {
    file.fault([], `expected some of ${sections.join(', ')}`);
    return { developers: [], servers: null, toolsets: null, keys: null, providers: null, notes: [] };
  }
  refuseStrangers(file, [], value, sections);
  const notes: string[] = [];
  return {
    developers: readDevelopers(file),
    servers: value.servers === undefined ? null : readServers(file, deps, notes),
    toolsets: value.toolsets === undefined ? null : readToolsets(file, value.toolsets),
    keys: value.keys === undefined ? null : readKeys(file),
    providers: value.providers === undefined ? null : readProviders(file, value.providers, deps),
    notes,
  };
}

/** It would be somebody else than the one without. */
function refuseSpaces(file: DeclaredFile, path: FieldPath, name: string): void {
  if (name !== name.trim()) file.fault(path, 'has spaces around it');
}

function readDevelopers(file: DeclaredFile): string[] {
  const seen = new Map<string, FieldPath>();
  return listOf(file, file.value, 'developers').flatMap((each, i) => {
    const path = ['developers', i];
    if (isObject(each)) refuseStrangers(file, path, each, ['name']);
    const name = file.check(path, () => checkName(isObject(each) ? each.name : each));
    if (name === undefined) return [];
    refuseSpaces(file, path, name);
    refuseSecond(file, seen, name, path);
    return [name];
  });
}

function listOf(file: DeclaredFile, value: unknown, section: string): readonly unknown[] {
  const list = isObject(value) ? value[section] : undefined;
  if (list === undefined) return [];
  if (Array.isArray(list)) return list;
  file.fault([section], 'expected a list, [] for none');
  return [];
}

function refuseStrangers(
  file: DeclaredFile,
  path: FieldPath,
  object: JsonObject,
  known: readonly string[],
): void {
  for (const name of Object.keys(object))
    if (!known.includes(name)) file.fault([...path, name], `unknown field; expected ${known.join(', ')}`);
}

function refuseSecond(file: DeclaredFile, seen: Map<string, FieldPath>, name: string, path: FieldPath): void {
  const first = seen.get(name);
  if (first !== undefined) file.fault(path, `the same as ${fieldName(first)}`);
  else seen.set(name, path);
}

function readServers(file: DeclaredFile, deps: ReadDeps, notes: string[]): DeclaredServer[] {
  const seen = new Map<string, FieldPath>();
  return listOf(file, file.value, 'servers').flatMap((entry, i) => {
    const path = ['servers', i];
    if (!isObject(entry)) {
      file.fault(path, 'expected a server');
      return [];
    }
    refuseStrangers(file, path, entry, [...serverMembers, ...rightsMembers]);
    const said = Object.entries(entry);
    const rights = Object.fromEntries(said.filter(([name]) => rightsMembers.includes(name)));
    const rest = Object.fromEntries(said.filter(([name]) => !rightsMembers.includes(name)));
    const saysRights = Object.keys(rights).length > 0;
    const checked = saysRights
      ? file.check(path, () => toRights(checkRights(rights), operatorDeveloper))
      : undefined;
    refuseSecondTool(file, [...path, 'tools'], entry.tools);
    const { id } = entry;
    // Of a server that came from elsewhere a file may say who sees it, and nothing else.
    const isRightsOnly = typeof id === 'string' && saysRights && Object.keys(rest).length === 1;
    const input = isRightsOnly ? null : readServer(file, path, rest, { ...deps, notes });
    if (input === undefined) return [];
    const known = input?.id ?? String(id);
    refuseSpaces(file, [...path, 'id'], known);
    refuseSecond(file, seen, known, [...path, 'id']);
    return [{ path, id: known, input, rights: checked ?? null }];
  });
}

/** An import keeps the first; whoever writes a file means one of them. */
function refuseSecondTool(file: DeclaredFile, path: FieldPath, tools: unknown): void {
  const seen = new Map<string, FieldPath>();
  for (const [i, tool] of (Array.isArray(tools) ? tools : []).entries())
    if (isObject(tool) && typeof tool.name === 'string')
      refuseSecond(file, seen, tool.name, [...path, i, 'name']);
}

function readServer(
  file: DeclaredFile,
  path: FieldPath,
  entry: JsonObject,
  { parseServer, checkUrl, environment, notes }: ReadDeps & { readonly notes: string[] },
): ServerInput | undefined {
  file.check(path, () => checkServerBelow(withoutNulls(entry)));
  const headers = readHeaders(file, [...path, 'headers'], entry.headers, environment);
  const login = readLogin(file, [...path, 'client_credentials'], entry.client_credentials, environment);
  return file.check(path, () => {
    const parsed = parseServer({
      ...entry,
      ...(headers !== undefined && { headers }),
      ...(login !== undefined && { client_credentials: login }),
    });
    if (!parsed.ok) throw new Problem('invalid_request', parsed.reason);
    const fault = urlFault(parsed.input.remoteUrl, checkUrl);
    if (fault !== null) throw new Problem('invalid_request', fault);
    notes.push(...parsed.notes.map((note) => `${fieldName(path)}.${note}`));
    return parsed.input;
  });
}

function withoutNulls(entry: JsonObject): unknown {
  return JSON.parse(JSON.stringify(entry, (_, value: unknown) => value ?? undefined));
}

const reference = /\$\{([A-Za-z_]\w*)\}/g;

/** Credentials stand in the environment: the file has their names alone. */
function readHeaders(
  file: DeclaredFile,
  path: FieldPath,
  headers: unknown,
  environment: ReadDeps['environment'],
): unknown {
  if (!isObject(headers)) return headers;
  const entries = Object.entries(headers).map(
    ([name, value]) => [name, fill(file, [...path, name], value, environment)] as const,
  );
  return Object.fromEntries(entries);
}

/** A key stands there as its JWK, as JSON. */
function readLogin(
  file: DeclaredFile,
  path: FieldPath,
  login: unknown,
  environment: ReadDeps['environment'],
): unknown {
  if (!isObject(login)) return login;
  const { client_secret: secret, client_key: key, ...rest } = login;
  return {
    ...rest,
    ...(secret !== undefined && {
      client_secret: fill(file, [...path, 'client_secret'], secret, environment),
    }),
    ...(key !== undefined && {
      client_key: parseJson(fill(file, [...path, 'client_key'], key, environment)),
    }),
  };
}

/** null: it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fill(
  file: DeclaredFile,
  path: FieldPath,
  value: unknown,
  environment: ReadDeps['environment'],
): string {
  if (typeof value !== 'string' || value.search(reference) === -1)
    file.fault(
      path,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what the operator shall write
      'expected a reference to the environment, for example "Bearer ${FILES_TOKEN}", never the secret itself',
    );
  return String(value).replace(reference, (_, variable: string) => {
    const found = environment[variable];
    if (!found) file.fault(path, `the environment has no ${variable}`);
    return found ?? '';
  });
}

function readProviders(
  file: DeclaredFile,
  providers: unknown,
  { declaredProviders, environment }: ReadDeps,
): ProviderEntry[] {
  if (!isObject(providers)) {
    file.fault(['providers'], 'expected providers by their names, {} for none');
    return [];
  }
  const known = new Map(
    declaredProviders.all().map(({ name, row }) => [name, splitSecrets(row).secrets] as const),
  );
  return Object.entries(providers).flatMap(([name, entry]) => {
    const path = ['providers', name];
    if (!isObject(entry)) {
      file.fault(path, 'expected a provider');
      return [];
    }
    const said = Object.entries(splitSecrets(entry).secrets).map(
      ([field, value]) =>
        [field, secretValue(field, fill(file, [...path, field], value, environment))] as const,
    );
    // Where the file has no secret, the one that is there stays.
    const row = { ...known.get(name), ...entry, ...Object.fromEntries(said) };
    for (const fault of declaredProviders.faultsOf({ name, row }))
      file.check(['providers'], () => {
        throw new Problem('invalid_request', fault);
      });
    return [{ path, name, row }];
  });
}

/** A key stands in the environment as the text of its JWK. */
function secretValue(field: string, text: string): unknown {
  if (field !== 'client_key') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function readToolsets(file: DeclaredFile, toolsets: unknown): DeclaredToolset[] {
  if (!isObject(toolsets)) {
    file.fault(['toolsets'], 'expected toolsets by their names, {} for none');
    return [];
  }
  return Object.entries(toolsets).flatMap(([name, entry]) => {
    const path = ['toolsets', name];
    const named = file.check(path, () => checkToolsetName({ name }));
    const toolset = file.check(path, () => {
      const { bindings, ...body } = checkToolset(entry);
      return { input: toToolsetInput(body), bindings: bindings === undefined ? null : toBindings(bindings) };
    });
    return named === undefined || toolset === undefined ? [] : [{ path, name, ...toolset }];
  });
}

function readKeys(file: DeclaredFile): KeyEntry[] {
  const seen = new Map<string, FieldPath>();
  return listOf(file, file.value, 'keys').flatMap((entry, i) => {
    const path = ['keys', i];
    const key = file.check(path, () => {
      const { digest, developer, name, tier, ...said } = checkKey(entry);
      return {
        // Every process that applies the file makes the same one.
        keyId: `key_${digest.slice(0, 32)}`,
        digest,
        developer,
        name,
        tier,
        scopes: said.scopes ?? usualScopes,
        expiresAt: said.expires_at === undefined ? null : timeOf(said.expires_at),
        addresses: said.addresses === undefined ? null : checkAddresses(said.addresses),
      };
    });
    if (key === undefined) return [];
    refuseSpaces(file, [...path, 'developer'], key.developer);
    refuseSecond(file, seen, key.digest, [...path, 'digest']);
    return [{ path, key }];
  });
}
