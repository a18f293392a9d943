import { Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { placeholdersIn } from '../base/user-credentials.ts';
import type { Catalog, Health, PublicServer, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { anything, strict, text } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

/**
 * The generic registry API, read-only (modelcontextprotocol/registry, docs/reference/api/generic-registry-api.md): a client
 * of the public registry may point here. It needs no key, so it shows public facts only.
 */
const schemaUrl = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json' as const;
const officialMeta = 'io.modelcontextprotocol.registry/official';
/** Where our own facts stand. */
const ownMeta = 'dev.mcprank/facts';
/** server.schema.json allows no more. */
const maxDescription = 100;
const unknownVersion = '0.0.0';

const listQuery = Type.Object(
  {
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    search: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    updated_since: Type.Optional(Type.String({ maxLength: 40, description: 'a time as RFC 3339' })),
    version: Type.Optional(Type.String({ maxLength: 255, description: 'latest: the only one kept here' })),
  },
  strict,
);
const name = text(200);
const version = text(255);
const entrySchema = Type.Object(
  {
    server: Type.Object(
      {
        $schema: Type.Literal(schemaUrl),
        name: Type.String(),
        title: Type.String(),
        description: Type.String(),
        version: Type.String(),
        repository: Type.Optional(Type.Object({ url: Type.String(), source: Type.String() })),
        remotes: Type.Optional(
          Type.Array(
            Type.Object({
              type: Type.String(),
              url: Type.String(),
              variables: Type.Optional(anything),
              headers: Type.Optional(Type.Array(anything)),
            }),
          ),
        ),
        packages: Type.Optional(Type.Array(anything)),
      },
      { $id: 'RegistryServer', description: 'as server.schema.json has it' },
    ),
    _meta: anything,
  },
  { $id: 'RegistryEntry' },
);
const pageSchema = Type.Object(
  {
    servers: Type.Array(entrySchema),
    metadata: Type.Object({ nextCursor: Type.Optional(Type.String()), count: Type.Integer() }),
  },
  { $id: 'RegistryPage' },
);

export function registryRoutes(catalog: Catalog, isPublic: (serverId: string) => boolean): Route[] {
  const describe = async (servers: readonly PublicServer[]) => {
    const health = await catalog.health.findAll(servers.map(({ record }) => record.id));
    return servers.map((server) => entryOf(server, health.get(server.record.id) ?? null));
  };
  const find = async (id: string) => {
    if (!isPublic(id)) throw new Problem('not_found', 'Server not found');
    const server = await catalog.publicServer(id);
    return entryOf(server, await catalog.health.find(server.record.id));
  };
  return [
    route({
      method: 'GET',
      url: '/v0.1/servers',
      summary: 'Registry API: the public servers, page by page; with `updated_since` removed ones too',
      scope: null,
      query: listQuery,
      reply: pageSchema,
      handle: async ({ query: { limit = 30, cursor, search, updated_since, version } }) => {
        if (version !== undefined && version !== 'latest')
          throw new Problem('invalid_request', 'version: expected latest');
        const { servers, nextCursor } = await catalog.publicServers({
          limit,
          cursor,
          search,
          since: updated_since === undefined ? undefined : timeOf(updated_since),
        });
        // A page may be shorter than was asked for, as with any registry; its cursor goes on behind it.
        const shown = await describe(servers.filter(({ record }) => isPublic(record.id)));
        return json({
          servers: shown,
          metadata: { ...(nextCursor === undefined ? {} : { nextCursor }), count: shown.length },
        });
      },
    }),
    route({
      method: 'GET',
      url: '/v0.1/servers/:name/versions',
      summary: 'Registry API: the versions of a server (a slash in the name is written %2F)',
      scope: null,
      params: Type.Object({ name }),
      reply: pageSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params }) => json({ servers: [await find(params.name)], metadata: { count: 1 } }),
    }),
    route({
      method: 'GET',
      url: '/v0.1/servers/:name/versions/:version',
      summary: 'Registry API: one version of a server, or `latest`',
      scope: null,
      params: Type.Object({ name, version }),
      reply: entrySchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params }) => {
        const found = await find(params.name);
        if (params.version !== 'latest' && params.version !== found.server.version)
          throw new Problem('not_found', 'Version not found');
        return json(found);
      },
    }),
  ];
}

function entryOf({ record, removed }: PublicServer, health: Health | null) {
  const { launch } = record;
  return {
    server: {
      $schema: schemaUrl,
      name: record.id,
      title: record.name.slice(0, maxDescription),
      description: record.description.slice(0, maxDescription).toWellFormed(),
      version: record.version ?? unknownVersion,
      ...(record.repositoryUrl !== null && {
        repository: { url: record.repositoryUrl, source: sourceOf(record.repositoryUrl) },
      }),
      ...(record.remoteUrl !== null && {
        remotes: [
          {
            type: record.transport,
            url: record.remoteUrl,
            ...userInputsOf(record.userCredentials, record.remoteUrl),
          },
        ],
      }),
      ...(launch !== null &&
        launch.registryType !== 'command' && {
          packages: [
            {
              registryType: launch.registryType,
              identifier: launch.identifier,
              ...(launch.version !== null && { version: launch.version }),
              ...(launch.runtimeHint !== null && { runtimeHint: launch.runtimeHint }),
              transport: { type: 'stdio' },
              ...(launch.args.length > 0 && {
                packageArguments: launch.args.map((value) => ({ type: 'positional', value })),
              }),
              ...(launch.env.length > 0 && {
                environmentVariables: launch.env.map((each) => ({ name: each })),
              }),
            },
          ],
        }),
    },
    _meta: {
      [officialMeta]: {
        status: removed ? 'deleted' : 'active',
        publishedAt: isoTime(record.createdAt),
        updatedAt: isoTime(record.updatedAt),
        isLatest: true,
      },
      [ownMeta]: {
        popularity: record.popularity,
        verified: record.verified,
        authType: record.authType,
        tools: record.tools.length,
        ...(health !== null && {
          liveness: {
            state: health.state,
            uptime: health.uptime,
            latencyMs: health.latencyMs,
            checkedAt: isoTime(health.checkedAt),
          },
          fingerprint: health.fingerprint,
        }),
      },
    },
  };
}

/** What each user brings, as server.json has it. */
function userInputsOf(asked: ServerRecord['userCredentials'], url: string) {
  if (asked == null) return {};
  const inputs = (text: string) =>
    Object.fromEntries(
      placeholdersIn(text).map((name) => {
        const {
          description = '',
          required,
          secret,
          default: usual,
          choices = [],
        } = asked.variables[name] ?? {};
        const more = { ...(usual != null && { default: usual }), ...(choices.length > 0 && { choices }) };
        return [name, { description, isRequired: required ?? true, isSecret: secret ?? true, ...more }];
      }),
    );
  const headers = Object.entries(asked.headers).map(([name, value]) => ({
    name,
    value,
    variables: inputs(value),
  }));
  return { ...(url.includes('{') && { variables: inputs(url) }), ...(headers.length > 0 && { headers }) };
}

function sourceOf(url: string): string {
  const host = URL.parse(url)?.hostname ?? '';
  return host.replace(/^www\./, '').split('.')[0] ?? host;
}

function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(ms))
    throw new Problem(
      'invalid_request',
      'updated_since: expected a time as RFC 3339, for example 2026-01-31T00:00:00Z',
    );
  return ms;
}
