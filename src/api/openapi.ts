import { type TSchema, Type } from 'typebox';
import { problemTable } from '../base/problem.ts';
import { isPassthrough, json, type OtherReply, type Route, route } from '../http/route.ts';
import { createSchemaTable, type Json, type SchemaTable } from './openapi-schemas.ts';
import { problemSchema, problemsOf, refusalSchema } from './problem-schemas.ts';

/** The OpenAPI 3.1 document of a route table (https://spec.openapis.org/oas/v3.1.0). */
function openApiDocument(routes: readonly Route[], version: string): Json {
  const table = createSchemaTable();
  const paths: Record<string, Json> = {};
  for (const declared of routes) {
    const path = declared.url.replace(/:([a-z_]+)/g, '{$1}').replace('*', '{path}');
    paths[path] = { ...paths[path], [declared.method.toLowerCase()]: operation(declared, table) };
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
      schemas: table.components,
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
    reply: Type.Object({}),
    handle: () => {
      text ??= JSON.stringify(openApiDocument([...routes, self], version));
      return { ...json({}), body: text };
    },
  });
  return self;
}

function operation(declared: Route, table: SchemaTable): Json {
  const { body, form, params, query, scope, orScope } = declared;
  return {
    operationId: `${declared.method.toLowerCase()}${declared.url.replace(/[^a-z]+([a-z])?/g, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')}`,
    summary: declared.summary,
    ...(scope === null
      ? { security: [] }
      : {
          security: securityOf(declared),
          'x-scope': orScope === undefined ? scope : [scope, orScope],
          'x-cost': declared.cost,
        }),
    ...(params === undefined && query === undefined
      ? {}
      : { parameters: [...parameters(params, 'path', table), ...parameters(query, 'query', table)] }),
    ...(body === undefined ? {} : { requestBody: requestBody(body, form === true, table) }),
    responses: responses(declared, table),
  };
}

function requestBody(body: TSchema, isForm: boolean, table: SchemaTable): Json {
  const content = { schema: table.show(body) };
  return {
    required: true,
    content: {
      'application/json': content,
      ...(isForm ? { 'application/x-www-form-urlencoded': content } : {}),
    },
  };
}

function securityOf({ user }: Route): Json[] {
  const forUser = { apiKey: [], userToken: [] };
  if (user === 'required') return [forUser];
  return [{ apiKey: [] }, { bearer: [] }, ...(user === 'optional' ? [forUser] : [])];
}

/** Every status that a route answers with, and what comes with it. */
function responses(declared: Route, table: SchemaTable): Json {
  const byStatus = new Map<string, OtherReply[]>();
  for (const reply of repliesOf(declared)) {
    const status = String(reply.status);
    byStatus.set(status, [...(byStatus.get(status) ?? []), reply]);
  }
  return Object.fromEntries([...byStatus].map(([status, replies]) => [status, response(replies, table)]));
}

/** The usual one first, then the others that were declared, then the problems. */
export function repliesOf(declared: Route): OtherReply[] {
  const { status, reply, otherReplies = [] } = declared;
  const isElsewhere = reply === null && otherReplies.some((other) => other.status === status);
  return [
    ...(isElsewhere || isPassthrough(declared)
      ? []
      : [{ status, description: 'As documented', ...(reply === null ? {} : { schema: reply }) }]),
    ...otherReplies,
    ...problemReplies(declared),
  ];
}

function problemReplies(declared: Route): OtherReply[] {
  const byStatus = Map.groupBy(problemsOf(declared), (kind) => problemTable[kind].status);
  return [...byStatus].map(([status, kinds]) => ({
    status,
    description: [...new Set(kinds.map((kind) => problemTable[kind].code))].join(', '),
    schema: status === 403 ? refusalSchema : problemSchema,
  }));
}

function response(replies: readonly OtherReply[], table: SchemaTable): Json {
  const description = [...new Set(replies.map((reply) => reply.description))].join('; ');
  const byType = new Map<string, Json[]>();
  for (const { schema, contentType } of replies) {
    if (schema === undefined && contentType === undefined) continue;
    const type = contentType ?? 'application/json';
    byType.set(type, [...(byType.get(type) ?? []), schema === undefined ? {} : table.show(schema)]);
  }
  if (byType.size === 0) return { description };
  const content = [...byType].map(([type, schemas]) => [type, media(schemas)]);
  return { description, content: Object.fromEntries(content) };
}

function media([first = {}, ...more]: readonly Json[]): Json {
  if (more.length > 0) return { schema: { anyOf: [first, ...more] } };
  return Object.keys(first).length === 0 ? {} : { schema: first };
}

function parameters(schema: TSchema | undefined, where: 'path' | 'query', table: SchemaTable): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, TSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, each]) => ({
    // The rest of a path, whatever it is.
    name: name === '*' ? 'path' : name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: table.show(each),
  }));
}
