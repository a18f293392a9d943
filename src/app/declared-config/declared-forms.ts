import type { DeclaredKey } from '../../access/access.ts';
import { describeRights } from '../../api/server-rights.ts';
import { describeToolset } from '../../api/toolset-schemas.ts';
import type { JsonObject } from '../../base/json.ts';
import type { CatalogTool, ServerRecord } from '../../catalog/catalog.ts';
import { neutralPrior } from '../../catalog/invocations/popularity.ts';
import type { ServerRights } from '../../policy/policy.ts';
import type { ToolsetInput } from '../declared-file/declared-model.ts';

/** The forms in which a file says things: what is declared and what is there are compared in them, and an export writes them. */

export type ServerFacts = Pick<
  ServerRecord,
  | 'name'
  | 'description'
  | 'version'
  | 'remoteUrl'
  | 'transport'
  | 'authType'
  | 'category'
  | 'tags'
  | 'verified'
  | 'repositoryUrl'
  | 'launch'
  | 'protocolRevision'
  | 'userCredentials'
  | 'prior'
  | 'tools'
>;

/** The catalogue format, without what is so anyway. */
export function serverForm(server: ServerFacts): JsonObject {
  const usual = server.remoteUrl === null ? 'stdio' : 'streamable-http';
  return withoutEmpty({
    name: server.name,
    description: server.description,
    version: server.version,
    remote_url: server.remoteUrl,
    transport: server.transport === usual ? null : server.transport,
    auth_type: server.authType,
    category: server.category,
    tags: server.tags,
    verified: server.verified,
    repository_url: server.repositoryUrl,
    launch: server.launch === null ? null : withoutEmpty(server.launch),
    revision: server.protocolRevision ?? null,
    user_credentials: server.userCredentials ?? null,
    popularity: server.prior === neutralPrior ? null : server.prior,
    tools: server.tools.map(toolForm),
  });
}

function toolForm({ name, description, inputSchema, details }: CatalogTool): JsonObject {
  const more = details === undefined ? {} : (JSON.parse(details) as JsonObject);
  return { name, description, inputSchema: JSON.parse(inputSchema) as unknown, ...more };
}

export function rightsForm(rights: ServerRights): JsonObject {
  const { granted, ...form } = describeRights(rights);
  return {
    ...form,
    granted: [...new Map(granted.map((grant) => [grant.developer, grant])).values()].sort(byDeveloper),
  };
}

function byDeveloper(a: { readonly developer: string }, b: { readonly developer: string }): number {
  return a.developer < b.developer ? -1 : 1;
}

export function toolsetForm(toolset: ToolsetInput): JsonObject {
  const { name: _, version: __, ...form } = describeToolset({ ...toolset, name: '', version: 0 });
  return withoutEmpty({ ...form }, ['rules']);
}

export function keyForm({ developer, name, tier, scopes, expiresAt, addresses }: DeclaredKey): JsonObject {
  return withoutEmpty({
    developer,
    name,
    tier,
    scopes: [...new Set(scopes)].sort(),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    addresses,
  });
}

function withoutEmpty(object: JsonObject, kept: readonly string[] = []): JsonObject {
  const isEmpty = (value: unknown) =>
    value == null || value === '' || value === false || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(
    Object.entries(object).filter(([name, value]) => kept.includes(name) || !isEmpty(value)),
  );
}
