import { Type } from 'typebox';
import type { Access, Principal } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import { hintsIn } from '../base/tool-hints.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { type Decision, noBindings, type Policy, type Subject } from '../policy/policy.ts';
import { strict, text } from './field-schemas.ts';
import { warningsFor } from './rule-warnings.ts';
import {
  bindingsRequestSchema,
  bindingsSchema,
  changedToolsetSchema,
  describeBindings,
  describeToolset,
  effectSchema,
  toBindings,
  toolsetPath,
  toolsetRequestSchema,
  toolsetSchema,
  toToolsetInput,
} from './toolset-schemas.ts';

const decisionSchema = Type.Object(
  {
    effect: effectSchema,
    toolset: Type.Union([Type.String(), Type.Null()], { description: 'whose rule decided; null: none did' }),
    depends_on: Type.Optional(
      Type.Literal('arguments', { description: 'with some arguments a rule decides otherwise' }),
    ),
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

type Deps = {
  readonly policy: Policy;
  readonly catalog: Pick<Catalog, 'list'>;
  readonly access: Pick<Access, 'listKeys'>;
};

/** Toolsets, what they are bound to, and what a key sees by them. */
export function toolsetRoutes(deps: Deps): Route[] {
  return [...definitionRoutes(deps), ...bindingRoutes(deps), previewRoute(deps)];
}

function definitionRoutes({ policy, catalog }: Deps): Route[] {
  const { admin } = policy;
  return [
    route({
      method: 'GET',
      url: '/v1/admin/toolsets',
      summary: 'All toolsets',
      scope: 'admin',
      reply: Type.Object({ toolsets: Type.Array(toolsetSchema) }),
      handle: () => json({ toolsets: admin.toolsets().map(describeToolset) }),
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/toolsets/:name',
      summary:
        'Make or replace a toolset: rules that allow, deny or ask; `warnings` names rules that fit nothing',
      scope: 'admin',
      params: toolsetPath,
      body: toolsetRequestSchema,
      reply: changedToolsetSchema,
      handle: async ({ params, body, caller }) => {
        await admin.putToolset(params.name, toToolsetInput(body), by(caller));
        const { toolset } = admin.toolset(params.name);
        const warnings = await warningsFor(body.rules, catalog, policy.fits);
        return json({ ...describeToolset(toolset), warnings });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/toolsets/:name',
      summary: 'One toolset',
      scope: 'admin',
      params: toolsetPath,
      reply: toolsetSchema,
      problems: ['not_found'],
      handle: ({ params }) => json(describeToolset(admin.toolset(params.name).toolset)),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/toolsets/:name',
      summary: 'Remove a toolset and its bindings',
      scope: 'admin',
      params: toolsetPath,
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
      params: toolsetPath,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: ({ params }) => json(describeBindings(admin.toolset(params.name).bindings)),
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/toolsets/:name/bindings',
      summary: 'Bind a toolset to keys, developers, clients and groups: the whole list each time',
      scope: 'admin',
      params: toolsetPath,
      body: bindingsRequestSchema,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: async ({ params, body, caller }) => {
        const bindings = toBindings(body);
        const known = await access.listKeys();
        refuseUnknown(
          'keys',
          bindings.keys,
          known.map(({ keyId }) => keyId),
        );
        refuseUnknown(
          'developers',
          bindings.developers,
          known.map(({ developer }) => developer),
        );
        await admin.putBindings(params.name, bindings, by(caller));
        return json(describeBindings(admin.toolset(params.name).bindings));
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/toolsets/:name/bindings',
      summary: 'Bind a toolset to nothing',
      scope: 'admin',
      params: toolsetPath,
      reply: bindingsSchema,
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await admin.putBindings(params.name, noBindings, by(caller));
        return json(describeBindings(noBindings));
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
    params: toolsetPath,
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

function preview(policy: Policy, subject: Subject, record: ServerRecord) {
  return {
    id: record.id,
    visible: policy.canSee(subject, record.id),
    decision: describeDecision(policy.decide(subject, record, null)),
    tools: record.tools.map(({ name, details }) => {
      const tool = { name, hints: hintsIn(details) };
      const decision = describeDecision(policy.decide(subject, record, tool));
      const depends = policy.dependsOnArguments(subject, record, tool);
      return { name, decision: { ...decision, ...(depends && { depends_on: 'arguments' as const }) } };
    }),
  };
}

function describeDecision({ effect, toolset }: Decision) {
  return { effect, toolset };
}

function refuseUnknown(field: string, named: readonly string[], known: readonly string[]): void {
  const at = named.findIndex((each) => !known.includes(each));
  if (at !== -1)
    throw new Problem('invalid_request', `${field}[${at}]: unknown; expected one that has a key here`);
}
