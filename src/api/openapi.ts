import type { TSchema } from 'typebox';
import { problemTable } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of a route table (https://spec.openapis.org/oas/v3.1.0). */
function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const declared of routes) {
    const path = declared.url.replace(/:([a-z_]+)/g, '{$1}').replace('*', '{path}');
    paths[path] = { ...paths[path], [declared.method.toLowerCase()]: operation(declared) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'MCP Rank',
      version,
      description: 'Find the right MCP server and tool, call it, and act for a user.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: '`sk_mcp_rank_` and 32 hex digits',
        },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'The API key, where no user token is expected',
        },
        userToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'The MIT of the user the call acts for, beside X-API-Key',
        },
      },
      schemas: {
        Error: {
          type: 'object',
          required: ['detail'],
          properties: {
            detail: {
              anyOf: [
                { type: 'string' },
                {
                  type: 'object',
                  required: ['code'],
                  properties: { code: { type: 'string' }, message: { type: 'string' } },
                },
              ],
            },
            code: { enum: [...new Set(Object.values(problemTable).map(({ code }) => code))] },
          },
        },
      },
    },
  };
}

/** The route that serves the document; the document lists this route too. */
export function openApiRoute(routes: readonly Route[], version: string): Route {
  let text: string | undefined;
  const self: Route = route({
    method: 'GET',
    url: '/openapi.json',
    summary: 'This document',
    scope: null,
    reply: null,
    handle: () => {
      text ??= JSON.stringify(openApiDocument([...routes, self], version));
      return { ...json({}), body: text };
    },
  });
  return self;
}

function operation(declared: Route): Json {
  const { body, form, params, query, reply, scope } = declared;
  return {
    operationId: `${declared.method.toLowerCase()}${declared.url.replace(/[^a-z]+([a-z])?/g, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')}`,
    summary: declared.summary,
    ...(scope === null
      ? { security: [] }
      : { security: securityOf(declared), 'x-scope': scope, 'x-cost': declared.cost }),
    ...(params === undefined && query === undefined
      ? {}
      : { parameters: [...parameters(params, 'path'), ...parameters(query, 'query')] }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: body },
              ...(form === true ? { 'application/x-www-form-urlencoded': { schema: body } } : {}),
            },
          },
        }),
    responses: {
      [declared.status]: {
        description: 'As documented',
        ...(reply === null ? {} : { content: { 'application/json': { schema: reply } } }),
      },
      ...Object.fromEntries(failures(declared).map((status) => [status, failure])),
    },
  };
}

function securityOf({ user }: Route): Json[] {
  const forUser = { apiKey: [], userToken: [] };
  if (user === 'required') return [forUser];
  return [{ apiKey: [] }, { bearer: [] }, ...(user === 'optional' ? [forUser] : [])];
}

const failure = {
  description: 'What was wrong',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

function failures({ scope, params }: Route): number[] {
  return [
    400,
    ...(scope === null ? [] : [401, 403, 429]),
    ...(params === undefined ? [] : [404, 410]),
    500,
    503,
  ];
}

function parameters(schema: TSchema | undefined, where: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, each]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: each,
  }));
}
