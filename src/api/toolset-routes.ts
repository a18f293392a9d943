import { type Static, Type } from 'typebox';
import type { Access, Principal } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import {
  fitsServer,
  matchesGlob,
  type Policy,
  type Rule,
  type Subject,
  type Toolset,
} from '../policy/policy.ts';
import { strict, text, textOrNull } from './field-schemas.ts';
import { factsOf } from './visible-catalog.ts';

const params = Type.Object({
  name: Type.String({
    pattern: '^[a-z0-9][a-z0-9_-]{0,63}$',
    description: '1 to 64 of a-z, 0-9, _ and -',
    examples: ['mail-only'],
  }),
});
/** What a rule or a default may be made to say; `ask` is nobody's yet. */
const settableEffect = Type.Enum(['allow', 'deny']);
const effect = Type.Enum(['allow', 'deny', 'ask']);
const ruleConditions = {
  server: Type.Optional(text(200)),
  tool: Type.Optional(text(200)),
  tags: Type.Optional(Type.Array(text(100), { minItems: 1, maxItems: 100 })),
  categories: Type.Optional(Type.Array(text(100), { minItems: 1, maxItems: 100 })),
};
const ruleRequestSchema = Type.Object(
  { effect: settableEffect, ...ruleConditions },
  { ...strict, $id: 'ToolsetRuleRequest' },
);
const ruleSchema = Type.Object({ effect, ...ruleConditions }, { $id: 'ToolsetRule' });
const toolsetRequestSchema = Type.Object(
  {
    title: Type.Optional(text(200)),
    rules: Type.Array(ruleRequestSchema, { maxItems: 1_000 }),
    default: Type.Optional(settableEffect),
  },
  { ...strict, $id: 'ToolsetRequest' },
);
const toolsetFields = {
  name: Type.String(),
  title: textOrNull,
  rules: Type.Array(ruleSchema),
  default: settableEffect,
  version: Type.Integer(),
};
const toolsetSchema = Type.Object(toolsetFields, { $id: 'Toolset' });
const changedToolsetSchema = Type.Object(
  {
    ...toolsetFields,
    warnings: Type.Array(Type.String(), { description: 'rules that fit nothing in the catalog' }),
  },
  { $id: 'ChangedToolset' },
);
const bindingsRequestSchema = Type.Object(
  {
    keys: Type.Optional(Type.Array(text(200), { maxItems: 1_000 })),
    developers: Type.Optional(Type.Array(text(100), { maxItems: 1_000 })),
  },
  { ...strict, $id: 'ToolsetBindingsRequest' },
);
const bindingsSchema = Type.Object(
  { keys: Type.Array(Type.String()), developers: Type.Array(Type.String()) },
  { $id: 'ToolsetBindings' },
);
const decisionSchema = Type.Object(
  {
    effect,
    toolset: Type.Union([Type.String(), Type.Null()], { description: 'whose rule decided; null: none did' }),
  },
  { $id: 'ToolsetDecision' },
);
const previewSchema = Type.Object(
  {
    servers: Type.Array(
      Type.Object({
        id: Type.String(),
        visible: Type.Boolean(),
        decision: decisionSchema,
        tools: Type.Array(Type.Object({ name: Type.String(), decision: decisionSchema })),
      }),
    ),
    next_cursor: Type.Optional(Type.String()),
  },
  { $id: 'ToolsetPreview' },
);
const previewPage = 50;
const pageSize = 100;

type Deps = {
  readonly policy: Policy;
  readonly catalog: Pick<Catalog, 'list'>;
  readonly access: Pick<Access, 'listKeys'>;
};

/** Toolsets, what they are bound to, and what a key sees by them. */
export function toolsetRoutes(deps: Deps): Route[] {
  return [...definitionRoutes(deps), ...bindingRoutes(deps), previewRoute(deps)];
}

function definitionRoutes({ policy: { admin }, catalog }: Deps): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/toolsets',
      summary: 'All toolsets',
      scope: 'admin',
      reply: Type.Object({ toolsets: Type.Array(toolsetSchema) }),
      handle: () => json({ toolsets: admin.toolsets().map(describe) }),
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/toolsets/:name',
      summary:
        'Make or replace a toolset: rules that allow or deny tools; `warnings` names rules that fit nothing',
      scope: 'admin',
      params,
      body: toolsetRequestSchema,
      reply: changedToolsetSchema,
      handle: async ({ params, body, caller }) => {
        const { title = null, rules } = body;
        await admin.putToolset(params.name, { title, rules, fallback: body.default ?? 'deny' }, by(caller));
        const { toolset } = admin.toolset(params.name);
        return json({ ...describe(toolset), warnings: await warningsFor(rules, catalog) });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/toolsets/:name',
      summary: 'One toolset',
      scope: 'admin',
      params,
      reply: toolsetSchema,
      problems: ['not_found'],
      handle: ({ params }) => json(describe(admin.toolset(params.name).toolset)),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/toolsets/:name',
      summary: 'Remove a toolset and its bindings',
      scope: 'admin',
      params,
      reply: Type.Object({ name: Type.String(), removed: Type.Literal(true) }),
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await admin.removeToolset(params.name, by(caller));
        return json({ name: params.name, removed: true });
      },
    }),
  ];
}

function bindingRoutes({ policy: { admin }, access }: Deps): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/toolsets/:name/bindings',
      summary: 'What a toolset is bound to',
      scope: 'admin',
      params,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: ({ params }) => json(admin.toolset(params.name).bindings),
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/toolsets/:name/bindings',
      summary: 'Bind a toolset to keys and developers: the whole list each time',
      scope: 'admin',
      params,
      body: bindingsRequestSchema,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: async ({ params, body: { keys = [], developers = [] }, caller }) => {
        const known = await access.listKeys();
        refuseUnknown(
          'keys',
          keys,
          known.map(({ keyId }) => keyId),
        );
        refuseUnknown(
          'developers',
          developers,
          known.map(({ developer }) => developer),
        );
        await admin.putBindings(params.name, { keys, developers }, by(caller));
        return json(admin.toolset(params.name).bindings);
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/toolsets/:name/bindings',
      summary: 'Bind a toolset to nothing',
      scope: 'admin',
      params,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await admin.putBindings(params.name, { keys: [], developers: [] }, by(caller));
        return json({ keys: [], developers: [] });
      },
    }),
  ];
}

function previewRoute({ policy, catalog, access }: Deps): Route {
  return route({
    method: 'GET',
    url: '/v1/admin/toolsets/:name/preview',
    summary: 'What a key sees: every server and tool with the decision on it, page by page',
    scope: 'admin',
    params,
    query: Type.Object({ key_id: text(200), cursor: Type.Optional(text(500)) }, strict),
    reply: previewSchema,
    problems: ['not_found'],
    handle: async ({ params, query: { key_id, cursor } }) => {
      policy.admin.toolset(params.name);
      const key = (await access.listKeys()).find(({ keyId }) => keyId === key_id);
      if (key === undefined) throw new Problem('not_found', 'Key not found');
      const page = await catalog.list({ limit: previewPage, ...(cursor !== undefined && { cursor }) });
      return json({
        servers: page.servers.map((record) => preview(policy, key, record)),
        ...(page.nextCursor !== undefined && { next_cursor: page.nextCursor }),
      });
    },
  });
}

function by({ keyId, developerId }: Principal) {
  return { actor: keyActor({ keyId }), developerId };
}

function describe({ name, title, rules, fallback, version }: Toolset) {
  return { name, title, rules, default: fallback, version };
}

function preview(policy: Policy, subject: Subject, record: ServerRecord) {
  const { id } = record;
  const facts = factsOf(record);
  return {
    id,
    visible: policy.canSee(subject, id),
    decision: policy.decide(subject, facts, null),
    tools: record.tools.map(({ name }) => ({ name, decision: policy.decide(subject, facts, name) })),
  };
}

function refuseUnknown(field: string, named: readonly string[], known: readonly string[]): void {
  const at = named.findIndex((each) => !known.includes(each));
  if (at !== -1)
    throw new Problem('invalid_request', `${field}[${at}]: unknown; expected one that has a key here`);
}

/** Rules that fit nothing in the catalogue, with the ids and names that come closest. */
async function warningsFor(
  rules: Static<typeof toolsetRequestSchema>['rules'],
  catalog: Deps['catalog'],
): Promise<string[]> {
  const open = new Map<number, Rule>(rules.entries());
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: pageSize, ...(cursor !== undefined && { cursor }) });
    for (const record of page.servers) {
      ids.push(record.id);
      for (const [index, rule] of open) if (fitsRecord(rule, record)) open.delete(index);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined && open.size > 0);
  return [...open].map(([index, rule]) => `rules[${index}]: fits no tool here${nearest(rule, ids)}`);
}

function fitsRecord(rule: Rule, record: ServerRecord): boolean {
  if (!fitsServer(rule, factsOf(record))) return false;
  const { tool } = rule;
  // Of many servers no tools are known before somebody calls them.
  return (
    tool === undefined ||
    record.tools.length === 0 ||
    record.tools.some(({ name }) => matchesGlob(tool, name))
  );
}

function nearest({ server }: Rule, ids: readonly string[]): string {
  if (server === undefined) return '';
  const bare = server.replaceAll('*', '').toLowerCase();
  const near = ids
    .filter((id) => bare.length > 2 && id.toLowerCase().includes(bare.slice(0, -1)))
    .slice(0, 3);
  return near.length === 0 ? '' : `; near: ${near.join(', ')}`;
}
