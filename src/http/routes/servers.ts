import { Type } from 'typebox';
import type { Catalog, ServerRecord } from '../../catalog/catalog.ts';
import { json, type Route, route } from '../route.ts';

const id = Type.String({ minLength: 1, maxLength: 200 });
const optionalText = Type.Union([Type.String(), Type.Null()]);
export const documentedServerSchema = {
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  remote_url: optionalText,
  auth_required: Type.Boolean(),
  auth_type: optionalText,
};
const server = Type.Object({
  ...documentedServerSchema,
  transport: Type.String(),
  category: optionalText,
  tags: Type.Array(Type.String()),
  verified: Type.Boolean(),
  repository_url: optionalText,
  version: optionalText,
  source: Type.String(),
  updated_at: Type.String(),
});
const tools = Type.Array(
  Type.Object({ name: Type.String(), description: Type.String(), input_schema: Type.Object({}) }),
);

const page = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  { additionalProperties: false },
);

/** The catalogue page by page, for whoever has the scope. */
export function browseRoute(catalog: Catalog, declared: Pick<Route, 'url' | 'summary' | 'scope'>): Route {
  return route({
    method: 'GET',
    ...declared,
    query: page,
    reply: Type.Object({
      servers: Type.Array(server),
      metadata: Type.Object({ next_cursor: Type.Optional(Type.String()), count: Type.Integer() }),
    }),
    handle: async ({ query: { limit = 50, cursor } }) => {
      const { servers, nextCursor } = await catalog.list({
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const next = nextCursor === undefined ? {} : { next_cursor: nextCursor };
      return json({ servers: servers.map(describeServer), metadata: { ...next, count: servers.length } });
    },
  });
}

export function serverRoutes(catalog: Catalog): Route[] {
  return [
    browseRoute(catalog, {
      url: '/v1/servers',
      summary: 'Browse the catalogue by id, page by page',
      scope: 'search',
    }),
    route({
      method: 'GET',
      url: '/v1/servers/:id',
      summary: 'One server with its tools (a slash in the id is written %2F)',
      scope: 'search',
      params: Type.Object({ id }),
      reply: Type.Object({ ...server.properties, tools }),
      handle: async ({ params }) => {
        const record = await catalog.get(params.id);
        return json({
          ...describeServer(record),
          tools: record.tools.map((tool) => ({
            name: tool.name,
            description: tool.description,
            input_schema: JSON.parse(tool.inputSchema) as unknown,
          })),
        });
      },
    }),
  ];
}

export function documentedServer(record: ServerRecord) {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    remote_url: record.remoteUrl,
    auth_required: record.authType !== null,
    auth_type: record.authType,
  };
}

function describeServer(record: ServerRecord) {
  return {
    ...documentedServer(record),
    transport: record.transport,
    category: record.category,
    tags: record.tags,
    verified: record.verified,
    repository_url: record.repositoryUrl,
    version: record.version,
    source: record.source,
    updated_at: new Date(record.updatedAt).toISOString(),
  };
}
